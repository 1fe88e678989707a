"""pause and resume: every process stands still, and nothing else changes."""

import os
import pathlib

import pytest
from oci import CGROUP_MANAGER, wait_until


def start(host, *words, shell=None, **config):
    bundle, container = host.bundle(*words), host.new_id()
    if shell:
        bundle.use_shell(shell)
    bundle.config["linux"].update(config)
    bundle.save()
    host.ok("run", "-d", "-b", bundle.directory, container)
    return container


@pytest.fixture
def running(host):
    return start(host, "wait-signal")


def ticks(pid):
    """The CPU time of a process, and the state that the kernel says it is in."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def freezers(host):
    """Where the test's containers can be frozen by hand: (file, frozen text, thawed text)."""
    found = []
    for path in host.cgroups():
        if os.path.exists(os.path.join(path, "freezer.state")):
            found.insert(0, (pathlib.Path(path, "freezer.state"), "FROZEN", "THAWED"))
        elif os.path.exists(os.path.join(path, "cgroup.freeze")):
            found.append((pathlib.Path(path, "cgroup.freeze"), "1", "0"))
    return found or pytest.skip("no freezer cgroup on this machine")


def test_a_paused_container_uses_no_cpu_until_it_is_resumed(host):
    busy = start(host, shell="while :; do :; done & while :; do :; done")
    wait_until(lambda: len(host.processes()) == 2, "the second loop is not there")
    pids = host.processes()
    wait_until(lambda: all(ticks(pid) > 1 for pid in pids), "the loops do not run")
    host.ok("pause", busy)
    assert host.status(busy) == "paused"
    assert "paused" in host.ok("list").stdout
    before = [ticks(pid) for pid in pids]
    assert [ticks(pid) for pid in pids] == before
    # A loop that were still running would use CPU while this one does.
    other = start(host, "spin", "1")
    wait_until(lambda: host.status(other) == "stopped", "the spinning container does not end")
    assert [ticks(pid) for pid in pids] == before
    host.ok("resume", busy)
    assert host.status(busy) == "running"
    wait_until(lambda: all(now > then for now, then in zip(map(ticks, pids), before)),
               "the loops do not go on")


def test_pause_and_resume_want_the_right_state(host, running):
    assert "is running, not paused" in host.refused("resume", running)
    host.ok("pause", running)
    assert "is paused, not running" in host.refused("pause", running)
    assert host.status(running) == "paused"
    host.ok("unpause", running)
    host.ok("kill", running, "KILL")
    wait_until(lambda: host.status(running) == "stopped", "it did not stop")
    assert "is stopped, not running" in host.refused("pause", running)
    assert "is stopped, not paused" in host.refused("resume", running)
    created = host.new_id()
    host.ok("create", "-b", host.bundle("wait-signal").directory, created)
    assert "is created, not running" in host.refused("pause", created)
    assert host.status(created) == "created"
    assert "does not exist" in host.refused("pause", host.new_id())


def test_what_a_paused_container_refuses(host, running):
    host.ok("pause", running)
    message = host.refused("exec", running, "/witness", "exit", "0")
    assert "paused container" in message and "knarr resume" in message
    assert "is paused" in host.refused("start", running)
    assert "is paused" in host.refused("delete", running)
    assert host.status(running) == "paused"
    host.ok("resume", running)
    host.ok("exec", running, "/witness", "exit", "0")


def test_a_signal_waits_until_the_container_goes_on(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    run = host.ok("run", "-d", "-b", bundle.directory, container)
    wait_until(lambda: "ready=1" in run.out_path.read_text(), "the program is not ready")
    host.ok("pause", container)
    host.ok("kill", container, "USR1")
    assert host.status(container) == "paused"
    assert "signal" not in run.out_path.read_text()
    host.ok("resume", container)
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    assert "signal=10" in run.out_path.read_text()


@pytest.mark.parametrize("words", [("kill", "KILL"), ("kill", "--all", "KILL"),
                                   ("delete", "--force")])
def test_a_paused_container_can_be_ended(host, running, words):
    host.ok("pause", running)
    host.ok(words[0], *[w for w in words[1:] if w.startswith("-")], running,
            *[w for w in words[1:] if not w.startswith("-")])
    if words[0] == "delete":
        assert host.entries() == []
    else:
        wait_until(lambda: host.status(running) == "stopped", "it did not stop")


def test_a_container_that_somebody_else_froze_is_paused_and_can_be_resumed(host, running):
    file, frozen, _ = freezers(host)[0]
    file.write_text(frozen)
    wait_until(lambda: host.status(running) == "paused", "it is not paused")
    host.ok("resume", running)
    assert host.status(running) == "running"


@pytest.mark.skipif(bool(CGROUP_MANAGER), reason="systemd names the cgroup above, not cgroupsPath")
def test_a_cgroup_above_that_is_frozen_is_named(host):
    pod = f"/{host.token}-pod"
    container = start(host, "wait-signal", cgroupsPath=f"{pod}/web")
    file, frozen, thawed = next(f for f in freezers(host) if f[0].parent.name == pod[1:])
    try:
        file.write_text(frozen)
        wait_until(lambda: host.status(container) == "paused", "it is not paused")
        message = host.refused("resume", container)
        assert f"a cgroup above {file.parent}/web is frozen" in message
        file.write_text(thawed)
        wait_until(lambda: host.status(container) == "running", "it does not run")
    finally:
        file.write_text(thawed)
        host.ok("delete", "--force", container)
        for path in host.cgroups():
            os.rmdir(path)


def test_a_pause_that_fails_leaves_the_container_running(breakable_knarr, host, running):
    host.knarr_path = breakable_knarr
    assert "freeze.frozen" in host.refused("pause", running, fault="freeze.frozen")
    assert host.status(running) == "running"
    host.ok("pause", running)
    assert host.status(running) == "paused"
