"""`knarr run IMAGE` failed or killed at every named point: nothing is left, or delete removes it."""

import os
import pathlib
import subprocess

import pytest

import images
from conftest import ROOT

pytestmark = pytest.mark.usefixtures("needs_root")

POINTS = ["create.made", "create.recorded", "run_image.data", "create.data", "create.child",
          "create.ready", "run.gate"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer()])


@pytest.fixture
def host(scratch, layout):
    knarr = pathlib.Path(os.environ.get("KNARR_FAULT_BIN", ROOT / "build/dev/bin/knarr"))
    if not knarr.exists() or b"run_image.data" not in knarr.read_bytes():
        pytest.skip(f"{knarr} has no fault points: configure with -DKNARR_FAULTS=ON")
    host = images.Host(knarr, scratch)
    host.good("pull", "-q", layout)
    return host


def run_with_fault(host, fault, *options, **streams):
    return host.run("run", "-q", *options, "localhost/box", "sleep", "60",
                    env=dict(os.environ, KNARR_FAULT=fault), **streams)


def run_and_die(host, fault, *options):
    # Not into a pipe: a container that survives its starter would hold it open.
    streams = {"capture_output": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    assert run_with_fault(host, f"{fault}=kill", *options, **streams).returncode == -9


@pytest.mark.parametrize("point", POINTS)
def test_a_failure_leaves_nothing(host, point):
    failed = run_with_fault(host, point, "--rm", "--name", "ship")
    assert failed.returncode == 125, failed.stderr
    assert point in failed.stderr
    assert host.containers() == []
    assert host.traces() == []


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_what_delete_removes_and_the_next_run_works(host, point):
    run_and_die(host, point, "--rm", "--name", "ship")
    for container in host.containers():
        host.good("delete", "--force", container["id"])
        assert images.cgroups_of(container["id"]) == []
    assert host.traces() == []
    host.good("run", "--rm", "-q", "--name", "ship", "localhost/box", "true")
    assert host.traces() == []


@pytest.mark.parametrize("point", ["create.recorded", "run_image.data"])
def test_a_killed_run_does_not_hold_its_image_for_ever(host, point):
    run_and_die(host, point)
    for container in host.containers():
        host.good("delete", "--force", container["id"])
    host.good("rmi", "localhost/box")
