"""kill -9 of monitors, launchers and clients: containers run on, nothing is lost, nothing is left."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

import background
import images
from background import host, knows_exit_codes_of_strangers, layout  # fixtures and more
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

COUNTING = "i=0; while [ ! -e /end ]; do echo $i; i=$((i+1)); done; echo $i > /total; exit 9"


def standing_by(host):
    """Those monitors that wait for another one's end: they hold no lock."""
    found = []
    for pid in host.monitors():
        links = []
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue  # it has ended, or is being set up: not yet one that stands by
        if not any(link.endswith("/monitor") for link in links):
            found.append(pid)
    return found


def both(host):
    """The monitors of the one container, once both are there."""
    wait_until(lambda: len(host.monitors()) == 2 and len(standing_by(host)) == 1,
               "there are not two monitors", 60)
    return host.monitors()


def kill(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids), "they do not die")


def check_ended(host, container, code):
    """Its exit code is known, and its log has every line once."""
    subprocess.run(host.command("exec", container, "touch", "/end"), check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert host.good("wait", container) == f"{code}\n"
    host.wait_ended(container)
    total = int((host.data / "containers" / container / "upper" / "total").read_text())
    assert host.good("logs", container) == "".join(f"{i}\n" for i in range(total))
    assert host.state(container)["ExitCode"] == code


@pytest.mark.parametrize("which", ["first", "second", "each in turn"])
def test_one_monitor_is_enough_and_the_other_is_replaced(host, layout, which):
    container = host.launch(layout, "sh", "-c", COUNTING)
    pid = host.state(container)["Pid"]
    rounds = {"first": 1, "second": 1, "each in turn": 6}[which]
    if rounds > 1 and not knows_exit_codes_of_strangers():
        pytest.skip("needs Linux 6.15: the exit code of a container that is nobody's child")
    for turn in range(rounds):
        monitors = both(host)
        waiting = standing_by(host)
        watching = [one for one in monitors if one not in waiting]
        kill(*(waiting if which == "second" or turn % 2 else watching))
        assert alive(pid)
    both(host)
    check_ended(host, container, 9)
    wait_until(lambda: not host.monitors(), "monitors are left")


def test_a_dead_monitor_is_replaced_within_a_second(host, layout):
    """Also one of those that were just started. The median: the machine may have others to do."""
    container = host.launch(layout)
    took = []
    for turn in range(9):
        monitors = both(host)
        waiting = standing_by(host)
        victim = waiting[0] if turn % 2 else next(one for one in monitors if one not in waiting)
        os.kill(victim, signal.SIGKILL)
        begun = time.monotonic()
        wait_until(lambda: len(set(host.monitors()) - {victim}) == 2, "nobody replaces it", 60)
        took.append(time.monotonic() - begun)
    assert sorted(took)[4] < 1 and sorted(took)[-2] < 1.5, took
    host.good("rm", "-f", container)


def test_both_killed_at_once_and_the_next_verb_brings_them_back(host, layout):
    if not knows_exit_codes_of_strangers():
        pytest.skip("needs Linux 6.15: the exit code of a container that is nobody's child")
    container = host.launch(layout, "sh", "-c", COUNTING)
    for _ in range(3):
        for monitor in both(host):
            os.kill(monitor, signal.SIGSTOP)  # so that neither can replace the other
        kill(*host.monitors())
        assert host.good("ps", "-q").strip() and host.state(container)["Running"]
    both(host)
    check_ended(host, container, 9)


def test_an_end_that_nobody_saw_is_the_kernels_or_said_to_be_unknown(host, layout):
    container = host.launch(layout)
    pid = host.state(container)["Pid"]
    for monitor in both(host):
        os.kill(monitor, signal.SIGSTOP)
    kill(*host.monitors())
    kill(pid)
    assert host.state(container)["Status"] == "exited"
    wait_until(lambda: not host.state(container)["FinishedAt"].startswith("0001"),
               "its end is not recorded", 60)
    state = host.state(container)
    # Who looks before init has reaped it still learns the code.
    assert (state["ExitCode"], state["Error"] != "") in ((137, False), (255, True))
    if state["ExitCode"] == 255:
        unknown = host.run("wait", container)
        assert unknown.returncode == 1 and "nobody saw" in unknown.stderr
    host.good("start", container)  # nothing is stuck
    host.good("rm", "-f", container)


def test_clients_may_die(host, layout):
    container = host.launch(layout, "sh", "-c", "trap '' TERM; " + COUNTING)
    for words in (["logs", "-f"], ["wait"], ["stop", "-t", "100"], ["exec"]):
        more = ["sleep", "1000"] if words == ["exec"] else []
        client = subprocess.Popen(host.command(*words, container, *more), stdout=subprocess.PIPE)
        if words[0] == "logs":
            assert client.stdout.read(1)
        client.kill()
        client.communicate()
        assert host.state(container)["Running"]
    check_ended(host, container, 9)


# Where knarr, its launcher and its monitors die when the fault is theirs; KNARR_FAULT is all of theirs.
POINTS = ["create.made", "create.recorded", "run_image.data", "create.data", "background.streams",
          "create.gate", "create.child", "create.ready", "run.gate",
          "log.spooled", "log.written", "log.placed", "log.emptied", "monitor.ended", "monitor.recorded"]


@pytest.fixture
def breakable(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    host.good("pull", "-q", layout)
    yield host
    host.end()


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_each_step_of_run_leaves_what_rm_removes(breakable, point):
    host = breakable
    host.run("run", "-d", "-q", "--name", "ship", "localhost/box", "sh", "-c", "echo here; exit 3",
             fault=f"{point}=kill")
    found = host.containers()
    if found and point.startswith(("log.", "monitor.")):
        # It ran: its end becomes known, or is known to be unknown, and its log is whole.
        host.wait_ended("ship")
        assert host.good("logs", "ship") == "here\n"
        assert host.state("ship")["ExitCode"] in (3, 255)
    for container in host.containers():
        host.good("rm", "-f", container["id"])
        assert images.cgroups_of(container["id"]) == []
    wait_until(lambda: not host.monitors(), "monitors are left")
    assert host.traces() == []
    assert host.good("run", "-d", "-q", "--name", "ship", "localhost/box", "true").strip()


@pytest.mark.parametrize("point", POINTS[:9])
def test_a_failure_at_each_step_of_run_leaves_nothing(breakable, point):
    host = breakable
    failed = host.run("run", "-d", "-q", "--name", "ship", "localhost/box", fault=point)
    assert failed.returncode == 125 and point in failed.stderr, failed.stderr
    assert host.containers() == []
    wait_until(lambda: not host.monitors(), "monitors are left")
    assert host.traces() == []


def test_a_kill_while_the_log_is_rotated_loses_no_line(breakable):
    host, lines = breakable, 1000
    host.run("run", "-d", "-q", "--name", "ship", "--log-opt", "max-size=4k", "--log-opt", "max-file=50",
             "localhost/box", "sh", "-c", f"i=0; while [ $i -lt {lines} ]; do echo line $i; i=$((i+1)); done; "
             "while [ ! -e /end ]; do sleep 0.1; done", fault="log.rotate=kill")
    wait_until(lambda: not host.monitors(), "no monitor meets the fault")  # each inherits it
    host.good("ps")  # new ones, without it
    both(host)
    host.good("exec", "ship", "touch", "/end")
    host.wait_ended("ship")
    assert host.good("logs", "ship") == "".join(f"line {i}\n" for i in range(lines))
    host.good("rm", "ship")
