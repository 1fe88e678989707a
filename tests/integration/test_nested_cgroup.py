"""A cgroup below a container's own: that one's end, exit code and removal do not wait for it."""

import contextlib
import os
import pathlib
import subprocess
import time

import pytest

import images
import oci
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

# On v2 only a cgroup without controllers may have both processes and cgroups below it.
v1_only = pytest.mark.skipif(os.path.exists("/sys/fs/cgroup/cgroup.controllers"),
                             reason="on cgroup v2 a cgroup with processes hands no controllers down")


def pids_cgroup(host, container):
    pid = host.state(container)["Pid"]
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        if "pids" in line.split(":")[1]:
            return line.split(":")[2]
    raise AssertionError("no cgroup of the controller pids")


@contextlib.contextmanager
def somebody_in(place):
    """A process in a cgroup of its own below `place`, in one hierarchy."""
    inner = pathlib.Path("/sys/fs/cgroup/pids" + place, "inner")
    inner.mkdir()
    process = subprocess.Popen(["sleep", "1000"])
    (inner / "cgroup.procs").write_text(str(process.pid))
    try:
        yield inner
    finally:
        process.kill()
        process.wait()
        for path in (inner, inner.parent):
            with contextlib.suppress(FileNotFoundError):
                wait_until(lambda path=path: not (path / "cgroup.procs").read_text(), "it is not empty")
                path.rmdir()


@v1_only
def test_the_end_is_told_and_what_is_inside_lives_on(host, layout):
    box = host.launch(layout, "sh", "-c", "while [ ! -e /end ]; do sleep 0.1; done; exit 3")
    with somebody_in(pids_cgroup(host, box)) as inner:
        host.good("exec", box, "touch", "/end")
        begun = time.monotonic()
        assert host.good("wait", box, timeout=30) == "3\n"
        assert time.monotonic() - begun < 20
        state = host.state(box)
        assert (state["Status"], state["ExitCode"]) == ("exited", 3)
        assert "remove cgroup" in state["Error"], "what is left is named"
        assert (inner / "cgroup.procs").read_text(), "it is not ours to kill"
        # Neither does the container stay for it.
        removed = host.run("rm", box)
        assert removed.returncode == 0 and "it stays" in removed.stderr, removed.stderr
        assert (inner / "cgroup.procs").read_text()


@v1_only
@pytest.mark.parametrize("options", [("-d", "--rm"), ("--rm",), ()], ids=["background", "foreground", "kept"])
def test_one_in_the_foreground_and_with_rm_ends_too(host, layout, scratch, options):
    running = subprocess.Popen(host.command("run", "-q", *options, "--name", "box", layout, "sh", "-c",
                                            "while [ ! -e /end ]; do sleep 0.1; done; exit 3"),
                               stderr=subprocess.PIPE, text=True)
    wait_until(lambda: [one for one in host.containers() if one["status"] == "running"], "it does not run", 60)
    box = host.inspect("box")["Id"]
    with somebody_in(pids_cgroup(host, "box")) as inner:
        host.good("exec", "box", "touch", "/end")
        if "-d" in options:
            wait_until(lambda: host.containers() == [], "it is still there", 30)
        assert running.wait(60) == (0 if "-d" in options else 3), running.stderr.read()
        assert (inner / "cgroup.procs").read_text()
        # Where nobody is, it goes: nobody would look there later.
        assert set(images.cgroups_of(box)) == {str(inner.parent)}
        if not options:
            assert host.state("box")["ExitCode"] == 3
    if not options:
        host.good("rm", "box")
    assert images.cgroups_of(box) == []


@v1_only
def test_start_again_removes_what_was_left(host, layout):
    box = host.launch(layout, "sh", "-c", "[ -e /end ] && exit 4; while [ ! -e /end ]; do sleep 0.1; done; exit 3")
    with somebody_in(pids_cgroup(host, box)):
        host.good("exec", box, "touch", "/end")
        assert host.good("wait", box) == "3\n"
        again = host.run("start", box)
        assert again.returncode == 0 and "remove cgroup" in again.stderr, again.stderr
        assert host.good("wait", box) == "4\n"
    host.good("start", box)
    assert host.good("wait", box) == "4\n"
    assert images.cgroups_of(box) == []


@v1_only
def test_a_bundle_may_lie_there_as_with_runc_and_crun(host, layout, witness_path, scratch):
    box = host.launch(layout, "sleep", "1000")
    bundles = oci.Host(host.knarr, witness_path, scratch / "bundles-of-others")
    try:
        bundle = bundles.bundle("wait-signal")
        bundle.config["linux"]["cgroupsPath"] = f"{pids_cgroup(host, box)}/inner"
        bundle.save()
        inner = bundles.new_id()
        bundles.ok("create", "-b", bundle.directory, inner)
        host.good("stop", "-t", "0", box, timeout=30)
        assert host.state(box)["ExitCode"] == 137
        assert bundles.status(inner) == "created"
        bundles.ok("delete", "--force", inner)
        host.good("rm", box)
        assert images.cgroups_of(box) == []
    finally:
        bundles.destroy()


def test_a_parent_that_is_a_containers_own_is_refused(host, layout):
    box = host.launch(layout, "sleep", "1000")
    for verb in (("run", "--rm"), ("run", "-d"), ("create",)):
        for below in ("", "/deeper"):
            refused = host.run(*verb, "--cgroup-parent", f"/{box}{below}", layout, "true")
            assert refused.returncode in (1, 125, 126), refused.stderr
            assert f"is that of container {box}" in refused.stderr and "both" in refused.stderr
    assert len(host.containers()) == 1
    # One beside it is none in it.
    host.good("run", "--rm", "-q", "--cgroup-parent", f"/{box}-pod", layout, "true")
    for place in ("/sys/fs/cgroup", *pathlib.Path("/sys/fs/cgroup").iterdir()):
        left = pathlib.Path(place, f"{box}-pod")
        if left.is_dir():
            left.rmdir()
