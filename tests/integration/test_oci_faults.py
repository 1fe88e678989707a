"""knarr killed, or failing, at each step of its work: the next one finds nothing in its way.

The points are those of the sources: a new one is tested here by the beginning of its name, or must be
named in another test.

Needs a build with KNARR_FAULTS (the dev preset): KNARR_FAULT_BIN, else build/dev/bin/knarr."""

import re
import signal
import time

import pytest
from conftest import ROOT
from oci import TOKEN_VARIABLE, wait_until


def points_of_sources():
    """Of what an OCI verb goes through: those of pull and the store are other tests' affair."""
    found = set()
    for room in ("engine", "runtime", "platform"):
        for path in (ROOT / "src" / room).rglob("*.cpp"):
            found |= set(re.findall(r'fault_point\("([^"]+)"\)', path.read_text()))
    return sorted(found)


POINTS = points_of_sources()


def points(*beginnings):
    return [point for point in POINTS if point.partition(".")[0] in beginnings]


CREATE, START, EXEC, DELETE = points("create", "launch"), points("start"), points("exec"), points("delete")
RUN = [point for point in points("create", "launch", "run") if point != "create.done"]
KILLED = -signal.SIGKILL


def test_no_point_is_forgotten():
    assert len(CREATE) >= 11 and START and EXEC and DELETE and "run.gate" in RUN
    others = set(POINTS) - {*CREATE, *RUN, *START, *EXEC, *DELETE}
    assert others, "a pull of an image and a freeze have some"
    texts = [path.read_text() for path in (ROOT / "tests/integration").glob("test_*.py")]
    assert [point for point in others if not any(f'"{point}' in text for text in texts)] == []


@pytest.fixture
def knarr_path(breakable_knarr):
    return breakable_knarr


@pytest.mark.parametrize("point", CREATE)
def test_a_create_that_fails_leaves_nothing(host, point):
    bundle = host.bundle("wait-signal")
    message = host.refused("create", "-b", bundle.directory, host.new_id(), fault=point)
    assert point in message
    host.assert_clean()


@pytest.mark.parametrize("point", RUN)
def test_a_run_that_fails_leaves_nothing(host, point):
    bundle = host.bundle("wait-signal")
    message = host.refused("run", "-b", bundle.directory, host.new_id(), fault=point)
    assert point in message
    host.assert_clean()


@pytest.mark.parametrize("point", CREATE)
def test_after_a_killed_create_the_same_create_works(host, point):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    killed = host.knarr("create", "-b", bundle.directory, container, fault=point + "=kill")
    assert killed.returncode == KILLED
    host.ok("create", "-b", bundle.directory, container)
    assert host.status(container) == "created"
    assert len(host.processes()) == 1
    host.ok("start", container)
    host.ok("delete", "--force", container)
    host.assert_clean()


@pytest.mark.parametrize("point", RUN)
def test_after_a_killed_run_the_id_is_free_again(host, point):
    bundle, container = host.bundle("exit", "3"), host.new_id()
    killed = host.knarr("run", "-b", bundle.directory, container, fault=point + "=kill")
    assert killed.returncode == KILLED
    assert host.knarr("run", "-b", bundle.directory, container).returncode == 3
    host.assert_clean()


@pytest.mark.parametrize("point", CREATE)
def test_a_killed_create_is_listed_as_stopped_and_can_be_deleted(host, point):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    host.knarr("create", "-b", bundle.directory, container, fault=point + "=kill")
    if host.entries():
        # Its lock may outlive it by the millisecond that the process beside it (NetworkMaker) needs.
        wait_until(lambda: "stopped" in host.ok("list").stdout, "it is not stopped")
        assert host.status(container) == "stopped"
        host.ok("delete", container)
    host.assert_clean()


@pytest.mark.parametrize("point", DELETE)
@pytest.mark.parametrize("how", ["", "=kill"])
def test_a_delete_that_ended_half_way_can_be_repeated(host, point, how):
    container = host.new_id()
    host.ok("run", "-d", "-b", host.bundle("wait-signal").directory, container)
    host.knarr("delete", "--force", container, fault=point + how)
    host.ok("delete", "--force", container)
    host.assert_clean()


@pytest.mark.parametrize("point", START)
@pytest.mark.parametrize("how", ["", "=kill"])
def test_a_start_that_ended_behind_the_open_gate_is_noticed(host, point, how):
    container = host.new_id()
    host.ok("create", "-b", host.bundle("wait-signal").directory, container)
    started = host.knarr("start", container, fault=point + how)
    assert started.returncode == KILLED if how else point in started.stderr
    assert "running" in host.refused("start", container)
    assert host.status(container) == "running"
    host.ok("delete", "--force", container)
    host.assert_clean()


@pytest.mark.parametrize("point", EXEC)
@pytest.mark.parametrize("how", ["", "=kill"])
def test_an_exec_that_ended_half_way_leaves_the_container_as_it_was(host, point, how):
    container = host.new_id()
    host.ok("run", "-d", "-b", host.bundle("wait-signal").directory, container)
    first = host.state(container)["pid"]
    # What runs already goes on when knarr is killed.
    program = ["exit", "0"] if how and point == "exec.gate" else ["sleep", "1000"]
    done = host.knarr("exec", container, "/witness", *program, fault=point + how)
    assert done.returncode == KILLED if how else point in done.stderr
    wait_until(lambda: host.processes() == [first], "a process of exec is left")
    assert host.knarr("exec", container, "/witness", "exit", "4").returncode == 4
    host.ok("delete", "--force", container)
    host.assert_clean()


def kill_in_hook(host, bundle, seconds):
    """Creates, and kills knarr while a hook inside runs. Returns the container's ID."""
    container, mark = host.new_id(), host.directory / "in-hook"
    script = host.directory / "hook"
    script.write_text(f"#!/bin/sh\n: > {mark}\n"
                      f"exec env {TOKEN_VARIABLE}={host.token} sleep {seconds}\n")
    script.chmod(0o755)
    bundle.hook("createContainer", script.as_posix())
    process = host.start_process("create", "-b", bundle.directory, container)
    wait_until(mark.exists, "the hook does not run")
    process.kill()
    assert process.wait() == KILLED
    return container


def test_a_killed_create_takes_a_child_along_that_is_not_listening(host):
    bundle = host.bundle("wait-signal")
    container = kill_in_hook(host, bundle, 1000)
    host.ok("delete", "--force", container)
    host.assert_clean()


def test_a_cgroup_is_removed_when_what_is_left_inside_has_ended(host):
    bundle = host.bundle("wait-signal")
    bundle.share("pid")  # the hook outlives its parent
    began = time.monotonic()
    container = kill_in_hook(host, bundle, 3)
    done = host.ok("delete", "--force", container)
    assert done.stderr == ""
    assert time.monotonic() - began >= 2.5, "nothing was in the cgroup any more"
    host.assert_clean()
