"""update: all of the named limits change, or none does."""

import json
import os
import pathlib

import pytest
from oci import wait_until

V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
MIB = 1 << 20


@pytest.fixture
def running(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["linux"]["resources"] = {
        "memory": {"limit": 64 * MIB}, "cpu": {"shares": 512, "quota": 50000, "period": 100000},
        "pids": {"limit": 40}}
    bundle.save()
    host.ok("run", "-d", "-b", bundle.directory, container)
    return container


def text(host, v1, v2=None):
    """The text of a file of the test's one cgroup, by its v1 and its v2 name."""
    name = v2 if V2 else v1
    for path in host.cgroups():
        file = pathlib.Path(path, name)
        if file.exists():
            return file.read_text().strip()
    pytest.skip(f"no cgroup file {name} on this host")


def limits(host):
    return {v1: text(host, v1, v2) for v1, v2 in (
        ("memory.limit_in_bytes", "memory.max"), ("cpu.shares", "cpu.weight"),
        ("cpu.cfs_quota_us", "cpu.max"), ("pids.max", "pids.max"))}


def test_each_option_changes_what_it_names(host, running):
    host.ok("update", "--memory", "100m", running)
    assert text(host, "memory.limit_in_bytes", "memory.max") == str(100 * MIB)
    host.ok("update", "--memory-reservation", "33554432", running)
    assert text(host, "memory.soft_limit_in_bytes", "memory.low") == str(32 * MIB)
    host.ok("update", running, "--pids-limit", "20")
    assert text(host, "pids.max", "pids.max") == "20"
    host.ok("update", "--pids-limit=-1", running)
    assert text(host, "pids.max", "pids.max") == "max"
    host.ok("update", "--cpu-share", "1024", running)
    assert text(host, "cpu.shares", "cpu.weight") == ("100" if V2 else "1024")
    host.ok("update", "--cpu-shares", "200", running)
    assert text(host, "cpu.shares", "cpu.weight") == ("29" if V2 else "200")


def test_quota_and_period_keep_each_other(host, running):
    def both():
        return text(host, "x", "cpu.max") if V2 else \
            text(host, "cpu.cfs_quota_us") + " " + text(host, "cpu.cfs_period_us")
    assert both() == "50000 100000"
    host.ok("update", "--cpu-quota", "25000", running)
    assert both() == "25000 100000"
    host.ok("update", "--cpu-period", "50000", running)
    assert both() == "25000 50000"
    host.ok("update", "--cpu-quota", "400000", "--cpu-period", "200000", running)
    assert both() == "400000 200000"
    host.ok("update", "--cpu-quota", "-1", running)
    assert both() == ("max 200000" if V2 else "-1 200000")


def test_a_burst_fits_the_quota_in_any_order(host, running):
    text(host, "cpu.cfs_burst_us", "cpu.max.burst")
    host.ok("update", "--cpu-burst", "40000", running)
    assert "is more than the quota" in host.refused("update", "--cpu-quota", "20000", running)
    host.ok("update", "--cpu-quota", "20000", "--cpu-burst", "10000", running)
    host.ok("update", "--cpu-quota", "90000", "--cpu-burst", "80000", running)
    assert text(host, "cpu.cfs_burst_us", "cpu.max.burst") == "80000"


@pytest.mark.parametrize("first, second", [(32, 256), (256, 32), (64, 64)])
def test_memory_and_the_sum_with_swap_change_in_the_order_that_the_kernel_takes(
        host, running, first, second):
    text(host, "memory.memsw.limit_in_bytes", "memory.swap.max")
    for memory in (first, second):
        host.ok("update", "--memory", f"{memory}m", "--memory-swap", f"{2 * memory}m", running)
        assert text(host, "memory.limit_in_bytes", "memory.max") == str(memory * MIB)
        assert text(host, "memory.memsw.limit_in_bytes", "memory.swap.max") == \
            str((1 if V2 else 2) * memory * MIB)
    host.ok("update", "--memory", "-1", running)
    assert text(host, "memory.limit_in_bytes", "memory.max") in ("max", "9223372036854771712")


@pytest.mark.skipif(V2, reason="cgroup v2 limits swap alone")
def test_a_limit_that_contradicts_the_one_in_force_is_refused_with_the_fix(host, running):
    text(host, "memory.memsw.limit_in_bytes")
    host.ok("update", "--memory", "64m", "--memory-swap", "128m", running)
    before = limits(host)
    message = host.refused("update", "--memory", "200m", "--pids-limit", "7", running)
    assert "134217728" in message and "--memory-swap" in message
    message = host.refused("update", "--memory-swap", "32m", running)
    assert host.knarr("update", "--memory-swap", "32m", running).returncode == 1, "runc's status"
    assert "67108864" in message and "--memory" in message
    assert limits(host) == before


def test_resources_come_from_a_file_or_from_standard_input(host, running):
    resources = {"memory": {"limit": 80 * MIB}, "pids": {"limit": 11}, "cpu": {"shares": 1024}}
    file = host.directory / "resources.json"
    file.write_text(json.dumps(resources))
    host.ok("update", "-r", file, running)
    assert text(host, "memory.limit_in_bytes", "memory.max") == str(80 * MIB)
    assert text(host, "pids.max", "pids.max") == "11"
    resources["pids"]["limit"] = 12
    file.write_text(json.dumps(resources))
    with file.open() as stdin:
        host.ok("update", "--resources", "-", running, stdin=stdin)
    assert text(host, "pids.max", "pids.max") == "12"


@pytest.mark.parametrize("resources, word", [
    ("", "empty"), ("[]", "array"), ('{"memory": {"limit": "64m"}}', "memory.limit"),
    ('{"memory": {"limit": -5}}', "memory.limit"), ('{"cpu": {"idle": 7}}', "cpu.idle"),
    ('{"unified": {"../x": "1"}}', "unified"), ("{", "resources")])
def test_resources_that_cannot_be_understood_change_nothing(host, running, resources, word):
    before = limits(host)
    file = host.directory / "resources.json"
    file.write_text(resources)
    assert word in host.refused("update", "-r", file, running)
    assert limits(host) == before


def test_a_write_that_the_kernel_refuses_undoes_the_others(host, running):
    before = limits(host)
    message = host.refused("update", "--memory", "90m", "--cpu-shares", "777", "--pids-limit", "9",
                           "--cpuset-cpus", "4000", running)
    assert "cpuset" in message
    assert limits(host) == before


def test_a_controller_that_is_not_there_is_named(host, running):
    mounted = pathlib.Path("/proc/self/mountinfo").read_text()
    if V2 or "hugetlb" in mounted:
        pytest.skip("every controller is mounted on this host")
    before = limits(host)
    file = host.directory / "resources.json"
    file.write_text(json.dumps({"pids": {"limit": 3},
                                "hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}))
    assert "hugetlb controller" in host.refused("update", "-r", file, running)
    assert limits(host) == before


@pytest.mark.parametrize("words", [
    (), ("--memory", "lots"), ("--cpu-quota", "1.5"), ("--pids-limit", "-2"), ("--cpu-idle", "2"),
    ("--blkio-weight", "1001"), ("--cpu-share", "2", "--cpu-shares", "2"),
    ("--memory", "1m", "-r", "/dev/null"), ("--cpu-period", "-1")])
def test_wrong_options_are_usage_errors(host, running, words):
    before = limits(host)
    done = host.knarr("update", *words, running)
    assert done.returncode == 2, done.stderr
    assert limits(host) == before


def test_what_an_update_needs(host, running):
    assert "does not exist" in host.refused("update", "--pids-limit", "5", host.new_id())
    done = host.ok("update", "--kernel-memory", "50m", running)
    assert "ignored" in done.stderr
    host.refused("update", "--l3-cache-schema", "L3:0=f", running)
    host.ok("pause", running)
    host.ok("update", "--pids-limit", "5", running)
    assert host.status(running) == "paused"
    assert text(host, "pids.max", "pids.max") == "5"
    host.ok("resume", running)
    host.ok("exec", running, "/witness", "exit", "0")
    host.ok("kill", running, "KILL")
    wait_until(lambda: host.status(running) == "stopped", "it did not stop")
    assert "is stopped" in host.refused("update", "--pids-limit", "5", running)


def test_checkBeforeUpdate_refuses_a_limit_below_what_is_used(host):
    bundle, container = host.bundle("memory", "32", "wait-signal"), host.new_id()
    run = host.ok("run", "-d", "-b", bundle.directory, container)
    wait_until(lambda: "ready=1" in run.out_path.read_text(), "the memory is not there")
    file = host.directory / "resources.json"
    file.write_text(json.dumps({"memory": {"limit": 16 * MIB, "checkBeforeUpdate": True}}))
    assert "checkBeforeUpdate" in host.refused("update", "-r", file, container)
    assert host.status(container) == "running"


def test_the_new_limit_binds_the_processes(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    host.ok("run", "-d", "-b", bundle.directory, container)
    children = ["exec", container, "/witness", "children", "2"]
    assert "EAGAIN" not in host.ok(*children).stdout
    host.ok("update", "--pids-limit", "1", container)
    done = host.knarr(*children)
    # On cgroup v2 exec itself is held back.
    assert "EAGAIN" in done.stdout or "a limit on processes is reached" in done.stderr
