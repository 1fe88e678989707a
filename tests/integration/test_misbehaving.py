"""Containers, clients, monitors and disks that do not behave: everything else goes on, ends in finite time, and leaves nothing."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from background import host, layout  # fixtures
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def cgroup_files(pid, name):
    """The files of this name in the cgroups of a process."""
    mounts = [line.split(" - ") for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    found = []
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for left, right in mounts:
            kind, options = right.split()[0], right.split()[-1].split(",")
            fits = kind == "cgroup2" if not controllers else kind == "cgroup" and set(controllers.split(",")) <= set(options)
            file = pathlib.Path(left.split()[4] + path, name)
            if fits and file.exists():
                found.append(file)
    return found


def test_one_that_forks_wildly_stays_within_its_limit(host, layout):
    bomb = "grow() { grow & grow & wait; }; grow & exec sleep 1000"  # a shell that cannot fork ends
    container = host.launch(layout, "sh", "-c", bomb, options=["--pids-limit", "40"])
    pid = host.state(container)["Pid"]
    current = cgroup_files(pid, "pids.current")
    if not current:
        pytest.skip("no pids controller on this machine")
    events = current[0].with_name("pids.events")
    wait_until(lambda: int(events.read_text().split()[1]) > 0, "it never came to its limit", 60)
    assert int(current[0].read_text()) <= 40
    assert host.good("run", "--rm", "-q", layout, "echo", "others run") == "others run\n"
    host.good("rm", "-f", container)
    assert not current[0].exists()


@pytest.mark.parametrize("words", [("stop", "-t", "1"), ("rm", "-f"), ("kill",)], ids=["stop", "rm", "kill"])
def test_one_that_stands_still_by_itself_can_be_ended(host, layout, words):
    """By SIGSTOP, which its first process cannot send itself: a child does, and we do."""
    container = host.launch(layout, "sh", "-c", "(echo up; kill -STOP $(exec sh -c 'echo $PPID'); echo on) & wait")
    wait_until(lambda: host.good("logs", container) == "up\n", "it is not up")
    pid = host.state(container)["Pid"]
    os.kill(pid, signal.SIGSTOP)
    assert host.state(container)["Status"] == "running"
    host.good(*words, container)
    if words[0] == "rm":
        assert not alive(pid) and host.containers() == []
    else:
        host.wait_ended(container)
        assert host.state(container)["ExitCode"] == 137


@pytest.mark.parametrize("words", [("rm", "-f"), ("stop", "-t", "1")], ids=["rm", "stop"])
def test_one_that_somebody_froze_can_be_ended(host, layout, words):
    container = host.launch(layout)
    pid = host.state(container)["Pid"]
    files = cgroup_files(pid, "freezer.state") or cgroup_files(pid, "cgroup.freeze")
    if not files:
        pytest.skip("no freezer cgroup on this machine")
    files[0].write_text("FROZEN" if files[0].name == "freezer.state" else "1")
    host.good(*words, container)
    assert not alive(pid) and not files[0].exists()


def test_one_that_deletes_its_own_root_harms_itself_alone(host, layout):
    script = "busybox rm -rf / 2>/dev/null; echo gone; while :; do :; done"
    container = host.launch(layout, "/bin/busybox", "sh", "-c", script)
    wait_until(lambda: host.good("logs", container) == "gone\n", "it is not done", 60)
    told = host.run("exec", container, "sh")
    assert told.returncode == 127 and "executable file not found" in told.stderr
    assert host.good("run", "--rm", "-q", layout, "echo", "the image is whole") == "the image is whole\n"
    assert host.good("logs", container) == "gone\n"
    host.good("stop", "-t", "0", container)
    assert host.run("start", container).returncode == 127
    assert "step: program" in host.good("explain", container)
    host.good("rm", container)


def test_monitors_that_hang_hold_nobody_up_for_ever(host, layout):
    container = host.launch(layout, "sh", "-c", "echo up; exec sleep 1000", options=["-t"])
    wait_until(lambda: len(host.monitors()) == 2 and "up" in host.good("logs", container), "it is not up", 60)
    monitors = host.monitors()
    for pid in monitors:
        os.kill(pid, signal.SIGSTOP)
    try:
        for words in (["ps"], ["inspect", container], ["logs", container], ["exec", container, "true"],
                      ["pause", container], ["unpause", container], ["explain", container]):
            host.good(*words)
        refused = host.run("attach", container, timeout=120)
        assert refused.returncode == 7 and "its monitor does not answer" in refused.stderr and "hint:" in refused.stderr
        host.good("stop", "-t", "0", container, timeout=120)
        assert host.state(container)["Status"] == "exited"
        host.good("rm", container, timeout=120)
    finally:
        for pid in monitors:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not host.monitors(), "monitors are left", 60)


def test_a_thousand_clients_at_once(host, layout, scratch):
    script = "echo up; while [ ! -e /end ]; do sleep 0.2; done; echo done; exit 7"
    container = host.launch(layout, "sh", "-c", script)
    wait_until(lambda: host.good("logs", container) == "up\n", "it is not up")
    kinds = {"wait": 400, "logs -f": 400, "attach": 200}
    clients = []
    for kind, count in kinds.items():
        for number in range(count):
            out = scratch / f"{kind.split()[0]}.{number}"
            with out.open("wb") as file, (scratch / f"{out.name}.err").open("wb") as errors:
                clients.append((kind, out, subprocess.Popen(host.command(*kind.split(), container), stdin=subprocess.DEVNULL,
                                                            stdout=file, stderr=errors)))
    try:
        attached = [(out, client) for kind, out, client in clients if kind == "attach"]
        wait_until(lambda: sum(client.poll() is None for _, client in attached) <= 64, "more than 64 are let in", 120)
        host.good("exec", container, "touch", "/end")
        codes = {kind: [] for kind in kinds}
        for kind, out, client in clients:
            codes[kind].append(client.wait(120))
            if kind == "wait":
                assert out.read_text() == "7\n"
            elif kind == "logs -f":
                assert out.read_text() == "up\ndone\n"
        assert set(codes["wait"] + codes["logs -f"]) == {0}
        full = [out for out, client in attached if client.returncode != 7]
        # On a slow machine some give up before the monitor comes to them.
        assert 0 < codes["attach"].count(7) <= 64
        told = [pathlib.Path(f"{out}.err").read_text() for out in full]
        assert all("64 are attached to it already" in one or "its monitor does not answer" in one for one in told)
    finally:
        for _, _, client in clients:
            client.kill()
            client.wait()


@pytest.fixture
def small_disk(host):
    """Both directories on one small file system; fill() leaves no byte of it, and empty() gives it back."""
    host.scratch.joinpath("disk").mkdir()
    disk = host.scratch / "disk"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "none", disk], check=True)
    host.root, host.data = disk / "run", disk / "data"
    filler = disk / "filler"

    def fill():
        with filler.open("ab", buffering=0) as file:
            for size in (1 << 16, 4096):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def empty():
        filler.unlink()
    yield fill, empty
    for container in host.containers():
        host.run("rm", "-f", container["id"])
    wait_until(lambda: not host.monitors(), "monitors are left", 60)
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_at_create_start_stop_and_rm(host, layout, small_disk):
    fill, empty = small_disk
    running = host.launch(layout, options=["--name", "running"])
    host.good("create", "-q", "--name", "made", layout, "sleep", "1000")
    wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors", 60)
    fill()
    for words in (("create", "-q", layout), ("run", "-d", "-q", layout), ("run", "--rm", "-q", layout, "true"),
                  ("start", "made")):
        refused = host.run(*words)
        assert refused.returncode == (1 if words[0] == "start" else 125) and "No space left on device" in refused.stderr, (words, refused.stderr)
    assert {one["id"]: one["status"] for one in host.containers()} == {
        running: "running", host.inspect("made")["Id"]: "created"}
    assert host.state("made")["Status"] == "created"
    # To end and to remove something needs no room.
    host.good("kill", "running")
    pid = host.state("running")["Pid"]
    wait_until(lambda: not pid or not alive(pid), "it is not killed")
    host.good("rm", "-f", "running")
    host.good("rm", "made")
    assert host.containers() == []
    empty()
    again = host.launch(layout, "sh", "-c", "exit 3")
    assert host.good("wait", again) == "3\n"
    host.good("rm", again)


def test_what_has_filled_the_disk_can_be_stopped_and_so_can_others(host, layout, small_disk):
    """The data directory's disk: the state directory is on another one, as a rule in memory."""
    fill, empty = small_disk
    host.root = host.scratch / "run"
    names = ["stopped", "killed", "shut", "ends"]
    for name in names[:3]:
        host.launch(layout, options=["--name", name, "--restart", "always"])
    host.launch(layout, "sh", "-c", "until [ -e /tmp/go ]; do sleep 0.05; done; exit 7",
                options=["--name", "ends", "--tmpfs", "/tmp"])
    fill()
    host.good("exec", "ends", "touch", "/tmp/go")
    assert host.good("wait", "ends", timeout=60) == "7\n"
    host.good("stop", "-t", "0", "stopped")
    host.good("kill", "killed")
    host.good("rename", "killed", "gone")
    host.good("shutdown", "--timeout", "0")
    assert {name: host.state(name)["Status"] for name in ("stopped", "gone", "shut", "ends")} == dict.fromkeys(
        ("stopped", "gone", "shut", "ends"), "exited")
    empty()
    host.good("start", "stopped")
    assert host.state("stopped")["Running"]
    host.good("rm", "-f", "stopped", "gone", "shut", "ends")


@pytest.mark.parametrize("words", [("stop", "-t", "0"), ("restart", "-t", "0"), ("kill",), ("rm", "-f")],
                         ids=["stop", "restart", "kill", "rm"])
def test_pause_while_it_is_being_killed(host, layout, words):
    """On cgroup v1 a process that is frozen in the middle of its end stays there: somebody has to thaw it."""
    for number in range(30):
        box = host.launch(layout)
        pid = host.state(box)["Pid"]
        killing = subprocess.Popen(host.command(*words, box), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(number / 2000)  # the moment, from before it begins to after its signal
        told = host.run("pause", box)
        out, errors = killing.communicate(timeout=60)
        assert killing.returncode == 0, errors
        assert not alive(pid), f"try {number}: pause ended with {told.returncode}: {told.stderr}"
        if told.returncode != 0:
            assert "not running" in told.stderr or "does not exist" in told.stderr, told.stderr
        if words[0] == "restart" and told.returncode == 0 and host.state(box)["Status"] == "paused":
            host.good("unpause", box)  # it was the new run that was paused
        host.good("rm", "-f", box)
