"""Mounts of a bundle as the container finds them."""

import os

import pytest



def seen(host, bundle, script):
    bundle.use_shell(script)
    bundle.save()
    return host.ok("run", "-b", bundle.directory, host.new_id()).stdout


@pytest.mark.parametrize("option, field", [
    ("rshared", "shared:"), ("shared", "shared:"), ("rprivate", None), ("runbindable", "unbindable")])
def test_a_volume_has_its_propagation_when_the_program_runs(host, option, field):
    bundle = host.bundle()
    volume = host.directory / "volume"
    volume.mkdir()
    bundle.config["mounts"].append({"destination": "/v", "type": "bind", "source": str(volume),
                                    "options": ["rbind", option]})
    line = seen(host, bundle, "/busybox grep ' /v ' /proc/self/mountinfo")
    fields = line.split(" - ")[0].split()[6:]
    assert [f for f in fields if field and f.startswith(field)] or (not field and not fields), line


@pytest.mark.parametrize("options, mode", [
    ([], "775"), (["tmpcopyup"], "775"), (["mode=700"], "700"), (["tmpcopyup", "mode=1777"], "1777")])
def test_a_tmpfs_over_a_directory_is_as_that_one_unless_told_otherwise(host, options, mode):
    bundle = host.bundle()
    under = bundle.rootfs / "under"
    under.mkdir()
    under.chmod(0o775)
    (under / "file").write_text("text")
    os.chown(under, 5, 6)
    bundle.config["mounts"].append({"destination": "/under", "type": "tmpfs", "source": "tmpfs",
                                    "options": options})
    out = seen(host, bundle, "/busybox stat -c '%a %u:%g' /under; /busybox ls /under").split()
    copied = "tmpcopyup" in options
    assert out[0] == mode
    assert out[1:] == (["5:6", "file"] if copied else ["0:0"])


def test_a_tmpfs_over_nothing_is_open_to_all(host):
    bundle = host.bundle()
    bundle.config["mounts"].append({"destination": "/new", "type": "tmpfs", "source": "tmpfs",
                                    "options": ["tmpcopyup"]})
    assert seen(host, bundle, "/busybox stat -c %a /new").strip() == "1777"
