"""--cgroup-manager disabled, which podman passes for --cgroups=disabled: no cgroup is made."""

import json
import pathlib
import signal

import images
from oci import wait_until

DISABLED = ("--cgroup-manager", "disabled")


def without_limits(host, *args):
    bundle = host.bundle(*args)
    bundle.config["linux"].pop("resources", None)
    bundle.save()
    return bundle


def test_the_container_stays_in_the_callers_cgroups(host):
    bundle, container = without_limits(host, "wait-signal"), host.new_id()
    host.ok(*DISABLED, "run", "-d", "-b", bundle.directory, container)
    pid = json.loads(host.ok("state", container).stdout)["pid"]
    own = pathlib.Path("/proc/self/cgroup").read_text()
    assert pathlib.Path(f"/proc/{pid}/cgroup").read_text() == own
    assert host.cgroups() == []
    host.ok("exec", container, "/witness", "exit", "0")
    host.ok("kill", container, "KILL")
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    host.ok("delete", container)
    host.assert_clean()


def test_run_in_the_foreground_gives_the_exit_status(host):
    bundle = without_limits(host, "exit", "7")
    assert host.knarr(*DISABLED, "run", "-b", bundle.directory, host.new_id()).returncode == 7
    host.assert_clean()


def test_limits_are_refused(host):
    bundle = without_limits(host, "exit", "0")
    for resources in ({"memory": {"limit": 1 << 26}}, {"pids": {"limit": 10}}, {"cpu": {"shares": 512}}):
        bundle.config["linux"]["resources"] = resources
        bundle.save()
        message = host.refused(*DISABLED, "run", "-b", bundle.directory, host.new_id())
        assert "linux.resources" in message and "cgroups are disabled" in message
    host.assert_clean()


def test_what_needs_a_cgroup_says_so(host):
    bundle, container = without_limits(host, "wait-signal"), host.new_id()
    host.ok(*DISABLED, "run", "-d", "-b", bundle.directory, container)
    assert "cgroup" in host.refused("pause", container)
    assert "cgroup" in host.refused("update", "--pids-limit", "5", container)
    host.ok("kill", container, str(int(signal.SIGKILL)))
    host.ok("delete", "--force", container)


def test_a_killed_client_leaves_what_delete_removes(breakable_knarr, host):
    host.knarr_path = breakable_knarr
    bundle, container = without_limits(host, "wait-signal"), host.new_id()
    killed = host.knarr(*DISABLED, "create", "-b", bundle.directory, container, fault="launch.ready=kill")
    assert killed.returncode == -signal.SIGKILL
    host.ok("delete", "--force", container)
    host.assert_clean()


def test_rules_and_a_place_that_are_left_out_are_warned_of(host):
    bundle = without_limits(host, "exit", "0")
    bundle.config["linux"]["cgroupsPath"] = f"/{host.token}/web"
    bundle.config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    bundle.save()
    said = host.ok(*DISABLED, "run", "-b", bundle.directory, host.new_id()).stderr
    assert "linux.cgroupsPath" in said and "linux.resources.devices" in said


def test_of_an_image_too(knarr_path, scratch, tmp_path, needs_root):
    host = images.Host(knarr_path, scratch)
    layout = images.write_layout(tmp_path / "box", [images.base_layer()], {})
    said = host.good(*DISABLED, "run", "--rm", "-q", layout, "cat", "/proc/self/cgroup")
    assert "knarr" not in said
    refused = host.run(*DISABLED, "run", "--rm", "-q", "--memory", "64m", layout, "true")
    assert refused.returncode == 125 and "cgroups are disabled" in refused.stderr
    assert host.traces() == []
