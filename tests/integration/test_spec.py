"""spec: a config.json to begin with."""

import json
import os
import shutil
import subprocess

import pytest

import rootless


def prepared(host, bundle, *args):
    """Replaces the program of a template by the witness, and keeps the rest."""
    config = json.loads((bundle.directory / "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/witness", *args]
    bundle.config = config
    bundle.save()
    return config


def test_it_writes_a_configuration_that_runs(host):
    bundle = host.bundle()
    os.remove(bundle.directory / "config.json")
    host.ok("spec", cwd=bundle.directory)
    template = json.loads((bundle.directory / "config.json").read_text())
    assert template["process"]["terminal"] is True
    assert template["process"]["args"] == ["sh"]
    assert template["root"] == {"path": "rootfs", "readonly": True}
    prepared(host, bundle, "host", "caps", "can-write", "/", "exit", "7")
    for name in ("sys", "dev", "proc"):
        (bundle.rootfs / name).mkdir(exist_ok=True)
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 7, done.stderr
    assert "hostname=knarr" in done.stdout
    assert "can-write:/=EROFS" in done.stdout


def test_it_has_the_parts_that_runcs_has(host):
    runc = shutil.which("runc", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not runc:
        pytest.skip("no runc (Debian package) on this machine")
    directory = host.directory / "bundle"
    directory.mkdir()
    for extra in ([], ["--rootless"]):
        subprocess.run([runc, "spec", *extra], cwd=directory, check=True)
        theirs = json.loads((directory / "config.json").read_text())
        os.remove(directory / "config.json")
        host.ok("spec", "--bundle", directory, *extra)
        ours = json.loads((directory / "config.json").read_text())
        os.remove(directory / "config.json")
        assert set(theirs) <= set(ours)
        assert {m["destination"] for m in theirs["mounts"]} == \
            {m["destination"] for m in ours["mounts"]}
        assert {n["type"] for n in theirs["linux"]["namespaces"]} == \
            {n["type"] for n in ours["linux"]["namespaces"]}
        assert set(theirs["linux"]["maskedPaths"]) <= set(ours["linux"]["maskedPaths"])
        assert theirs["process"]["capabilities"]["bounding"] == \
            ours["process"]["capabilities"]["bounding"]


def test_it_never_overwrites(host):
    bundle = host.bundle()
    before = (bundle.directory / "config.json").read_text()
    done = host.knarr("spec", "-b", bundle.directory)
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert (bundle.directory / "config.json").read_text() == before
    assert "does-not-exist" in host.refused("spec", "-b", "/does-not-exist")


def test_a_link_in_its_place_is_not_followed(host):
    directory = host.directory / "bundle"
    directory.mkdir()
    (directory / "config.json").symlink_to(host.directory / "elsewhere")
    host.refused("spec", "-b", directory)
    assert not (host.directory / "elsewhere").exists()


def test_an_ordinary_user_gets_one_that_it_can_run(knarr_path, witness_path, scratch):
    rootless.needs_user_namespaces()
    host = rootless.UserHost(knarr_path, witness_path, scratch)
    bundle = host.bundle()
    os.remove(bundle.directory / "config.json")
    host.ok("spec", "--rootless", "--bundle", bundle.directory)
    config = prepared(host, bundle, "ids", "exit", "3")
    assert config["linux"]["uidMappings"] == [
        {"containerID": 0, "hostID": rootless.UID, "size": 1}]
    (bundle.rootfs / "sys").mkdir()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 3, done.stderr
    assert "uid=0" in done.stdout
    host.destroy()
    host.assert_clean()
