"""Health checks: probes in a container, what they make of its health, what is done about it."""

import json
import os
import signal

import pytest

import background
import images
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

QUICK = ["--health-interval", "100ms", "--health-retries", "2"]


def health(host, container):
    return host.state(container)["Health"]


def becomes(host, container, status):
    wait_until(lambda: health(host, container)["Status"] == status,
               f"it does not become {status}", 60)
    return health(host, container)


def events(host, container):
    return [json.loads(line)["Action"] for line in
            host.good("events", "--since", "0", "--until", "0s", "--format", "json",
                      "--filter", f"container={container}").splitlines()]


def test_failures_in_a_row_make_it_unhealthy_and_a_success_healthy(host, layout):
    container = host.launch(layout, options=[*QUICK, "--name", "web", "--health-cmd",
                                             "echo said; test -e /tmp/ok"])
    found = becomes(host, container, "unhealthy")
    assert found["FailingStreak"] >= 2 and 2 <= len(found["Log"]) <= 5
    assert found["Log"][-1]["ExitCode"] == 1 and found["Log"][-1]["Output"] == "said\n"
    assert found["Log"][-1]["Start"] <= found["Log"][-1]["End"]
    assert "(unhealthy)" in host.good("ps")
    assert host.good("ps", "-q", "--no-trunc", "--filter", "health=unhealthy").strip() == container
    assert host.good("ps", "-q", "--filter", "health=healthy") == ""
    host.good("exec", container, "touch", "/tmp/ok")
    assert becomes(host, container, "healthy")["FailingStreak"] == 0
    assert "(healthy)" in host.good("ps")
    shown = host.good("health", "web")
    assert shown.startswith("healthy\n") and "exit code 0" in shown and shown.endswith("said\n")
    assert [one for one in events(host, container) if one.startswith("health_status")] == [
        "health_status: unhealthy", "health_status: healthy"]
    assert host.state(container)["Status"] == "running", "with no action only the status changes"
    assert host.inspect(container)["RestartCount"] == 0
    check = host.inspect(container)["Config"]["Healthcheck"]
    assert check["Test"] == ["CMD", "/bin/sh", "-c", "echo said; test -e /tmp/ok"]
    assert check["Interval"] == 100_000_000 and check["Timeout"] == 30_000_000_000


def test_failures_of_the_start_period_do_not_count(host, layout):
    container = host.launch(layout, options=[*QUICK, "--health-start-period", "1h",
                                             "--health-start-interval", "50ms",
                                             "--health-cmd", "test -e /tmp/ok"])
    wait_until(lambda: len(health(host, container)["Log"]) >= 4, "it is not probed", 60)
    assert health(host, container)["Status"] == "starting"
    assert health(host, container)["FailingStreak"] == 0
    assert "(health: starting)" in host.good("ps")
    host.good("exec", container, "touch", "/tmp/ok")
    becomes(host, container, "healthy")
    host.good("exec", container, "busybox", "rm", "/tmp/ok")
    becomes(host, container, "unhealthy")


def test_a_probe_that_hangs_is_killed_at_its_timeout(host, layout):
    container = host.launch(layout, options=[*QUICK, "--health-timeout", "200ms",
                                             "--health-cmd", "echo on; sleep 4321"])
    found = becomes(host, container, "unhealthy")
    assert found["Log"][0]["ExitCode"] == -1
    assert found["Log"][0]["Output"] == "Health check exceeded timeout (0.2s)"
    host.good("pause", container)
    # One that was killed is gone: at most the one at work is there.
    assert host.good("top", container, "-o", "pid,args").count("sleep 4321") <= 2
    host.good("unpause", container)


def test_a_probe_that_floods_is_cut_and_one_that_cannot_be_run_has_failed(host, layout):
    container = host.launch(layout, options=[*QUICK, "--health-cmd", "head -c 3000000 /dev/zero | tr '\\0' x"])
    output = becomes(host, container, "healthy")["Log"][0]["Output"]
    assert output == "x" * 4096 + "..."
    odd = host.launch(layout, options=[*QUICK, "--health-cmd", "printf 'a\\000\\033[2Jb\\377'; false"])
    assert becomes(host, odd, "unhealthy")["Log"][0]["Output"].startswith("a?\x1b[2Jb")
    assert "\x1b" not in host.good("health", odd), "what would steer a terminal is not shown"
    image = images.write_layout(host.scratch / "none", [images.base_layer()], {
        "Cmd": ["sleep", "1000"], "Healthcheck": {"Test": ["CMD", "/none"], "Interval": 10 ** 8}})
    other = host.launch(image)
    found = becomes(host, other, "unhealthy")
    assert found["Log"][0]["ExitCode"] == -1 and "/none" in found["Log"][0]["Output"]


def test_the_images_check_holds_unless_it_is_left_out(host, scratch):
    image = images.write_layout(scratch / "checked", [images.base_layer()], {
        "Cmd": ["sleep", "1000"],
        "Healthcheck": {"Test": ["CMD-SHELL", "exit 0"], "Interval": 1_000_000_000, "Retries": 4}})
    container = host.launch(image)
    becomes(host, container, "healthy")
    assert host.inspect(container)["Config"]["Healthcheck"]["Retries"] == 4
    pulled = host.good("images", "-q").split()[0]
    assert json.loads(host.good("image", "inspect", pulled))[0]["Config"]["Healthcheck"] == {
        "Test": ["CMD-SHELL", "exit 0"], "Interval": 1_000_000_000, "Retries": 4}
    without = host.launch(image, options=["--no-healthcheck"])
    assert "Health" not in host.state(without)
    refused = host.run("health", without)
    assert refused.returncode == 5 and "--health-cmd" in refused.stderr
    bad = images.write_layout(scratch / "bad", [images.base_layer()],
                              {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 3}})
    refused = host.run("run", "-d", "-q", bad, "sleep", "1000")
    assert refused.returncode != 0 and "Interval of 3 ns" in refused.stderr
    assert "--no-healthcheck" in refused.stderr


@pytest.mark.parametrize("action, policy, restarts", [
    ("restart", "no", True), ("kill", "always", True), ("kill", "no", False), ("stop", "always", False)])
def test_an_unhealthy_one_is_dealt_with_as_asked(host, layout, action, policy, restarts):
    container = host.launch(layout, options=[
        "--health-interval", "100ms", "--health-retries", "1", "--health-cmd", "false",
        "--health-on-failure", action, "--restart", policy, "--stop-timeout", "0"])
    if restarts:
        wait_until(lambda: host.inspect(container)["RestartCount"] >= 2, "it is not restarted", 60)
        seen = events(host, container)
        assert "health_status: unhealthy" in seen and "die" in seen
        assert action != "restart" or "restart" in seen
        host.good("stop", "-t", "0", container)
    host.wait_ended(container)
    wait_until(lambda: not host.monitors(), "its monitors stay", 60)
    found = host.inspect(container)
    assert found["State"]["Status"] == "exited" and found["State"]["ExitCode"] == 137
    assert (found["RestartCount"] >= 2) == restarts


@pytest.mark.parametrize("action, policy", [("restart", "no"), ("kill", "always")])
def test_a_stop_is_not_undone_and_not_cut_short(host, layout, action, policy):
    """One that becomes unhealthy because it is being stopped."""
    container = host.launch(layout, "sh", "-c", "trap 'touch /down; sleep 1; exit 5' TERM; touch /tmp/up; "
                            "while :; do sleep 0.1; done", options=[
                                "--health-interval", "100ms", "--health-retries", "1", "--restart", policy,
                                "--health-cmd", "test ! -e /down", "--health-on-failure", action])
    becomes(host, container, "healthy")
    host.good("stop", "-t", "30", container)
    wait_until(lambda: not host.monitors(), "its monitors stay", 60)
    found = host.inspect(container)
    assert found["State"]["Status"] == "exited" and found["State"]["ExitCode"] == 5
    assert found["RestartCount"] == 0


def test_a_probe_that_is_stopped_on_its_way_into_the_container_is_ended(host, scratch):
    """Its first process stops all others: no probe comes to run, and each is killed in the end."""
    stopper = "while :; do kill -STOP -1 2>/dev/null; done"
    image = images.write_layout(scratch / "stopper", [images.base_layer()], {"Cmd": ["sh", "-c", stopper]})
    container = host.launch(image, options=["--health-interval", "100ms", "--health-retries", "1",
                                            "--health-timeout", "100ms", "--health-cmd", "true"])
    found = becomes(host, container, "unhealthy")
    assert found["Log"][-1]["Output"] == "Health check exceeded timeout (0.1s)"


def test_a_killed_monitor_does_not_end_the_probes(host, layout):
    container = host.launch(layout, options=[*QUICK, "--health-cmd", "test -e /tmp/ok"])
    becomes(host, container, "unhealthy")
    for pid in host.monitors():
        os.kill(pid, signal.SIGKILL)
    host.good("exec", container, "touch", "/tmp/ok")
    becomes(host, container, "healthy")


@pytest.mark.parametrize("point", ["probe.noted=kill", "probe.unhealthy=kill", "probe.noted"])
def test_a_killed_probe_is_followed_by_the_next(breakable_knarr, scratch, layout, point):
    host = background.Host(breakable_knarr, scratch)
    try:
        options = ["--health-interval", "100ms", "--health-retries", "1",
                   "--health-on-failure", "none", "--health-cmd", "date +%N; false"]
        container = host.good("run", "-d", "-q", *options, layout,
                              env=dict(os.environ, KNARR_FAULT=point)).strip()
        becomes(host, container, "unhealthy")
        first = health(host, container)["Log"][-1]
        wait_until(lambda: health(host, container)["Log"][-1] != first, "no probe follows", 60)
        assert host.state(container)["Status"] == "running"
    finally:
        host.end()


def test_a_probe_can_be_asked_for(host, layout):
    container = host.launch(layout, options=["--health-interval", "1h", "--health-retries", "1",
                                             "--health-cmd", "echo probed; exit 3"])
    made = host.run("health", "--run", container)
    assert (made.returncode, made.stdout) == (1, "probed\n")
    assert health(host, container)["Status"] == "unhealthy"
    assert health(host, container)["Log"][-1]["ExitCode"] == 3
    host.good("pause", container)
    refused = host.run("health", "--run", container)
    assert refused.returncode == 1 and "is paused" in refused.stderr and "unpause" in refused.stderr
    host.good("unpause", container)


@pytest.mark.parametrize("words, told", [
    (["-d", "--health-interval", "soon", "--health-cmd", "x"], "--health-interval"),
    (["-d", "--health-cmd", ""], "--health-cmd is empty"),
    (["-d", "--health-retries", "-1", "--health-cmd", "x"], "--health-retries"),
    (["-d", "--health-on-failure", "pray", "--health-cmd", "x"], "--health-on-failure"),
    (["-d", "--no-healthcheck", "--health-cmd", "x"], "contradict"),
    (["-d", "--rm", "--health-on-failure", "restart", "--health-cmd", "x"], "--rm"),
    (["--health-cmd", "x", "--log-driver", "none"], "--health-cmd in the foreground needs a log"),
])
def test_wrong_flags_are_told(host, layout, words, told):
    refused = host.run("run", "-q", *words, layout)
    assert refused.returncode != 0 and told in refused.stderr, refused.stderr
    assert host.containers() == []
