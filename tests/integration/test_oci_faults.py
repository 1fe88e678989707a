"""knarr killed, or failing, at each step of its work: the next one finds nothing in its way.

Needs a build with KNARR_FAULTS (the dev preset): KNARR_FAULT_BIN, else build/dev/bin/knarr."""

import os
import pathlib
import signal

import pytest
from conftest import ROOT
from oci import Host, wait_until

CREATE = ["create.made", "create.recorded", "create.data", "create.gate", "launch.cloned",
          "launch.cgroup", "launch.ready", "create.child", "launch.recorded", "create.ready",
          "create.done"]
RUN = CREATE[:-1] + ["run.gate"]
DELETE = ["delete.killed", "delete.cgroup", "delete.hooks", "delete.data"]


@pytest.fixture
def host(witness_path, scratch, needs_root):
    knarr = pathlib.Path(os.environ.get("KNARR_FAULT_BIN", ROOT / "build/dev/bin/knarr"))
    if not knarr.exists():
        pytest.skip(f"{knarr} is not built: no program with fault points")
    host = Host(knarr, witness_path, scratch)
    if host.knarr("run", "-b", host.bundle("exit", "0").directory, host.new_id(),
                  fault="create.made").returncode == 0:
        pytest.skip(f"{knarr} has no fault points: configure with -DKNARR_FAULTS=ON")
    yield host
    host.destroy()
    host.assert_clean()


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
    assert killed.returncode == -signal.SIGKILL
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
    assert killed.returncode == -signal.SIGKILL
    assert host.knarr("run", "-b", bundle.directory, container).returncode == 3
    host.assert_clean()


@pytest.mark.parametrize("point", CREATE)
def test_a_killed_create_is_listed_as_stopped_and_can_be_deleted(host, point):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    host.knarr("create", "-b", bundle.directory, container, fault=point + "=kill")
    if host.entries():
        wait_until(lambda: host.status(container) == "stopped", "it is not stopped")
        assert "stopped" in host.ok("list").stdout
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


@pytest.mark.parametrize("how", ["", "=kill"])
def test_a_start_that_ended_behind_the_open_gate_is_noticed(host, how):
    container = host.new_id()
    host.ok("create", "-b", host.bundle("wait-signal").directory, container)
    host.knarr("start", container, fault="start.gate" + how)
    assert "running" in host.refused("start", container)
    assert host.status(container) == "running"
    host.ok("delete", "--force", container)
    host.assert_clean()
