"""Restart policies: containers that run again by themselves, with no daemon, whoever is killed meanwhile."""

import contextlib
import json
import os
import signal
import time

import pytest

import background
import images
from background import host, layout  # fixtures
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

# Each run adds a line, so that runs can be counted from outside; then it ends as the first argument says.
RUN = "echo run >> /runs; exit {}"


def runs(host, container):
    path = host.data / "containers" / container / "upper" / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def settled(host, container):
    """Its state once it is to stay down."""
    host.wait_ended(container)
    wait_until(lambda: not host.monitors(), "its monitors stay", 60)
    return host.inspect(container)


@pytest.mark.parametrize("policy, code, expected", [
    ("on-failure:3", 7, 4), ("on-failure:3", 0, 1), ("no", 7, 1),
])
def test_it_runs_again_as_often_as_the_policy_says(host, layout, policy, code, expected):
    container = host.launch(layout, "sh", "-c", RUN.format(code), options=["--restart", policy])
    found = settled(host, container)
    assert runs(host, container) == expected
    assert found["RestartCount"] == expected - 1
    assert found["State"]["ExitCode"] == code and not found["State"]["Restarting"]
    name, _, most = policy.partition(":")
    assert found["HostConfig"]["RestartPolicy"] == {"Name": name, "MaximumRetryCount": int(most or 0)}


def test_always_goes_on_until_somebody_stops_it_and_start_begins_anew(host, layout):
    container = host.launch(layout, "sh", "-c", RUN.format(0), options=["--restart", "always"])
    wait_until(lambda: runs(host, container) >= 3, "it does not run again", 60)
    assert host.inspect(container)["RestartCount"] >= 2
    host.good("stop", "-t", "0", container)
    found = settled(host, container)
    count = runs(host, container)
    assert found["State"]["Status"] == "exited"
    host.good("start", container)
    wait_until(lambda: runs(host, container) >= count + 2, "it is not started again", 60)
    host.good("rm", "-f", container)
    wait_until(lambda: not host.monitors(), "its monitors stay", 60)


def test_a_pause_is_shown_and_taken_back_by_stop_start_update_and_rm(host, layout):
    container = host.launch(layout, "sh", "-c", RUN.format(5), options=["--name", "again", "--restart", "always"])

    def pausing():
        """In a pause that is long enough to act in."""
        def is_long():
            """It is not just ending, nor being launched."""
            first = host.inspect(container)
            time.sleep(0.1)
            return first["State"]["Restarting"] and host.inspect(container) == first
        wait_until(lambda: runs(host, container) >= 4 and is_long(), "it does not pause", 60)

    pausing()
    state = host.state(container)
    assert (state["Status"], state["Running"], state["Pid"], state["ExitCode"]) == ("restarting", True, 0, 5)
    assert "Restarting (5)" in host.good("ps")
    host.good("start", container)
    wait_until(lambda: runs(host, container) >= 5, "start waits for the pause")
    pausing()
    host.good("stop", container)
    assert host.state(container)["Status"] == "exited"
    wait_until(lambda: not host.monitors(), "its monitors stay", 60)
    host.good("start", container)
    pausing()
    host.good("update", "--restart", "no", container)
    wait_until(lambda: not host.monitors(), "its monitors stay", 60)
    assert host.state(container)["Status"] == "exited"
    host.good("update", "--restart", "on-failure:9", container)
    assert host.inspect(container)["HostConfig"]["RestartPolicy"]["MaximumRetryCount"] == 9
    host.good("start", container)
    pausing()
    host.good("rm", "-f", container)
    wait_until(lambda: not host.monitors(), "its monitors stay", 60)


def test_kill_counts_as_a_stop_by_hand_and_an_outside_kill_does_not(host, layout):
    container = host.launch(layout, options=["--restart", "unless-stopped"])
    os.kill(host.state(container)["Pid"], signal.SIGKILL)
    wait_until(lambda: host.inspect(container)["RestartCount"] == 1 and host.state(container)["Pid"] > 0,
               "it is not started again", 60)
    assert host.state(container)["Status"] == "running"
    host.good("kill", container, "KILL")
    assert settled(host, container)["State"]["ExitCode"] == 137


def test_the_log_goes_on_and_the_files_stay(host, layout):
    container = host.launch(layout, "sh", "-c", "echo x >> /x; wc -l < /x; exit 1",
                            options=["--restart", "on-failure:2"])
    settled(host, container)
    assert host.good("logs", container) == "1\n2\n3\n"


@pytest.mark.parametrize("which", ["one", "both"])
def test_killed_monitors_do_not_end_it(host, layout, which):
    container = host.launch(layout, "sh", "-c", RUN.format(1), options=["--restart", "always"])
    wait_until(lambda: runs(host, container) >= 4 and host.state(container)["Restarting"], "it does not pause", 60)
    monitors = host.monitors()
    for monitor in monitors[:1] if which == "one" else monitors:
        os.kill(monitor, signal.SIGKILL)
    count = runs(host, container)
    # When both are gone, the next verb that looks brings them back.
    wait_until(lambda: host.good("ps", "-q") is not None and runs(host, container) > count,
               "it is not started again", 60)
    host.good("stop", "-t", "0", container)
    settled(host, container)


def test_what_contradicts_itself_is_refused(host, layout):
    for options, words in [(["-d", "--restart", "sometimes"], "none of"),
                           (["-d", "--restart", "always:3"], "only on-failure"),
                           (["-d", "--rm", "--restart", "always"], "contradict"),
                           (["--restart", "always", "--log-driver", "none"], "needs a log")]:
        refused = host.run("run", "-q", *options, layout)
        assert refused.returncode == 125 and words in refused.stderr, refused.stderr
    assert host.containers() == []


@pytest.mark.parametrize("point", ["rerun.noted", "create.recorded", "background.streams", "create.child",
                                   "run.gate", "monitor.recorded"])
def test_a_kill_at_each_step_of_a_restart_leaves_it_running_again(breakable_knarr, scratch, layout, point):
    host = background.Host(breakable_knarr, scratch)
    container = host.launch(layout, "sh", "-c", "echo run >> /runs; [ -e /stay ] && sleep 1000; exit 1",
                            options=["--restart", "always"])
    try:
        # Monitors inherit the fault of whoever starts them: start makes those that meet it.
        wait_until(lambda: runs(host, container) >= 1, "it does not run", 60)
        host.good("stop", "-t", "0", container)
        settled(host, container)
        host.run("start", container, fault=f"{point}=kill")

        def met_it():
            """An attempt has met the fault and another one was made, or nobody is left to make it."""
            restart = json.loads((host.root / container / "state.json").read_text())["life"]["restart"]
            return not host.monitors() or restart["count"] >= 2

        wait_until(met_it, "nothing happens", 60)
        for monitor in host.monitors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(monitor, signal.SIGKILL)
        (host.data / "containers" / container / "upper" / "stay").touch()

        def running():
            state = host.state(container)
            if state["Status"] == "exited":
                host.good("start", container)
            return state["Status"] == "running" and alive(state["Pid"])

        wait_until(running, "it is stuck", 60)
        host.good("stop", "-t", "0", container)
        host.good("rm", container)
        assert images.cgroups_of(container) == []
    finally:
        host.end()
