"""kill -9 of a knarr whose own streams a container has (run --rm, --log-driver none): what it would have done at the end is done."""

import os
import signal
import subprocess

import pytest

from background import host, knows_exit_codes_of_strangers, layout  # fixtures and more
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

UNTIL_END = ["sh", "-c", "while [ ! -e /end ]; do sleep 0.1; done; exit 3"]


@pytest.fixture
def running(host, layout):
    """Starts one in the foreground; the process of knarr and the container's pid."""
    started = []

    def start(*options):
        knarr = subprocess.Popen(host.command("run", "-q", "--name", "box", *options, layout, *UNTIL_END),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(knarr)
        wait_until(lambda: [one for one in host.containers() if one["status"] == "running"], "it does not run", 60)
        return knarr, host.state("box")["Pid"]

    yield start
    for knarr in started:
        knarr.kill()
        knarr.wait()


def test_as_long_as_it_lives_nobody_else_watches(host, running):
    knarr, _ = running("--log-driver", "none")
    host.good("ps")
    host.good("recover")
    assert host.monitors() == []
    host.good("exec", "box", "touch", "/end")
    assert knarr.wait(60) == 3
    assert host.state("box")["ExitCode"] == 3


def test_ctrl_c_three_times_ends_the_program_and_leaves_nothing(host, running):
    knarr, _ = running("--rm")
    for _ in range(3):
        knarr.send_signal(signal.SIGINT)
    assert knarr.wait(60) == 130  # busybox's shell makes that of it
    assert host.traces() == []


@pytest.mark.parametrize("verb", [("ps",), ("recover",), ("inspect", "box")], ids=lambda verb: verb[0])
def test_with_rm_it_goes_with_its_end(host, running, verb):
    knarr, _ = running("--rm")
    knarr.kill()
    knarr.wait()
    host.good(*verb)
    wait_until(lambda: len(host.monitors()) == 2, "nobody watches it", 60)
    host.good("exec", "box", "touch", "/end")
    wait_until(lambda: host.traces() == [], "something of it is there", 60)
    wait_until(lambda: not host.monitors(), "its monitors are still there", 60)


@pytest.mark.parametrize("verb", [("ps", "-a"), ("recover",)], ids=lambda verb: verb[0])
def test_one_that_had_ended_before_anybody_looked_goes_too(host, running, verb):
    knarr, pid = running("--rm")
    knarr.kill()
    knarr.wait()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "it does not die")
    host.good(*verb)
    wait_until(lambda: host.traces() == [], "something of it is there", 60)


def test_without_rm_its_end_is_put_down(host, running):
    knarr, _ = running("--log-driver", "none")
    knarr.kill()
    knarr.wait()
    host.good("ps")
    wait_until(lambda: len(host.monitors()) == 2, "nobody watches it", 60)
    host.good("exec", "box", "touch", "/end")
    host.wait_ended("box")
    assert host.state("box")["ExitCode"] == (3 if knows_exit_codes_of_strangers() else 255)
    host.good("start", "box")  # in the background
    assert host.good("wait", "box") == "3\n"
