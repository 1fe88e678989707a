"""What podman's own system tests ask of containers, asked of knarr: where docker has another answer, docker's."""

import concurrent.futures
import gzip
import io
import subprocess
import tarfile
import time

import pytest

from background import host, layout  # fixtures
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

DEAF = "trap 'echo heard' TERM; echo ready; while :; do sleep 0.1; done"


def launch_ready(host, layout, script, *options):
    container = host.launch(layout, "sh", "-c", script, options=options)
    wait_until(lambda: "ready" in host.good("logs", container), "it is not ready")
    return container


# --- ends ---

def test_others_are_not_held_up_by_a_stop_that_waits(host, layout):
    launch_ready(host, layout, DEAF, "--name", "box")
    stop = subprocess.Popen(host.command("stop", "-t", "40", "box"), stdout=subprocess.PIPE, text=True)
    wait_until(lambda: "heard" in host.good("logs", "box"), "it was not signalled")
    began = time.monotonic()
    assert "box" in host.good("ps", "--format", "{{.Names}}") and host.state("box")["Running"]
    assert host.good("exec", "box", "echo", "-n", "in") == "in"
    assert host.run("rm", "box").returncode == 1, "one that is stopping was removed"
    assert time.monotonic() - began < 10
    host.good("kill", "box")
    assert host.good("wait", "box") == "137\n" and stop.communicate(timeout=20)[0] == "box\n"
    assert host.state("box")["ExitCode"] == 137


def test_a_kill_beside_a_stop_records_the_end(host, layout):
    for turn in range(4):
        launch_ready(host, layout, DEAF, "--name", "box")
        stop = subprocess.Popen(host.command("stop", "-t", "1", "box"), stdout=subprocess.DEVNULL)
        host.run("kill", "box")
        assert host.good("wait", "box") == "137\n", turn
        assert stop.wait(20) == 0
        host.good("rm", "box")


def test_who_is_in_front_learns_that_it_was_removed(host, layout):
    front = subprocess.Popen(host.command("run", "--name", "box", layout, "sleep", "1000"), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: host.run("inspect", "-f", "{{.State.Running}}", "box").stdout == "true\n", "it does not run")
    host.good("rm", "-f", "box")
    assert front.wait(20) == 137 and host.containers() == []


def test_removal_of_all_beside_those_that_remove_themselves(host, layout):
    for _ in range(3):
        for _ in range(4):
            host.launch(layout, "sleep", "0.1", options=["--rm"])
        done = host.run("rm", "-af")
        assert (done.returncode, done.stderr) == (0, "")
        wait_until(lambda: host.traces() == [], "something is left", 20)


@pytest.mark.parametrize("words", [["rm", "-f"], ["stop", "-t", "1"], ["kill"], ["restart", "-t", "1"]])
def test_several_clients_do_the_same_at_once(host, layout, words):
    launch_ready(host, layout, DEAF, "--name", "box")
    pid = host.state("box")["Pid"]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda _: host.run(*words, "box"), range(5)))
    if words[0] == "kill":  # who comes late is told that it is not running
        assert any(one.returncode == 0 for one in done) and all(one.returncode in (0, 1) for one in done)
    else:
        assert [one.returncode for one in done] == [0] * 5, done
    assert not alive(pid)
    if words[0] != "rm":
        assert host.state("box")["Running"] == (words[0] == "restart")


def test_rm_beside_a_stop_by_the_health_check(host, layout):
    launch_ready(host, layout, DEAF, "--name", "box", "--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1",
                 "--health-on-failure", "stop", "--stop-timeout", "2")
    pid = host.state("box")["Pid"]
    wait_until(lambda: "heard" in host.good("logs", "box"), "it is not being stopped")
    assert host.run("rm", "box").returncode == 1
    wait_until(lambda: host.run("rm", "box").returncode == 0, "it cannot be removed", 20)
    assert not alive(pid) and host.run("container", "exists", "box").returncode == 1


def test_forced_rm_beside_a_stop_by_the_health_check_leaves_no_process(host, layout):
    launch_ready(host, layout, DEAF, "--name", "box", "--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1",
                 "--health-on-failure", "stop", "--stop-timeout", "30")
    pid = host.state("box")["Pid"]
    wait_until(lambda: "heard" in host.good("logs", "box"), "it is not being stopped")
    host.good("rm", "-f", "box")
    assert not alive(pid)


@pytest.mark.parametrize("policy", ["always", "on-failure"])
def test_wait_of_one_that_runs_again_tells_its_first_end(host, layout, policy):
    host.launch(layout, "false", options=["--name", "box", "--restart", policy])
    assert host.good("wait", "box", timeout=20) == "1\n"


def test_a_probe_by_hand_counts_and_says_unhealthy(host, layout):
    for policy in ("none", "kill", "stop", "restart"):
        host.launch(layout, options=["--name", "box", "--health-cmd", "test ! -e /bad || { rm -f /bad; false; }" if policy == "restart"
                                     else "test ! -e /bad", "--health-interval", "1h", "--health-retries", "1", "--stop-timeout", "1",
                                     "--health-on-failure", policy])
        assert host.good("healthcheck", "run", "box") == ""
        host.good("exec", "box", "touch", "/bad")
        done = host.run("healthcheck", "run", "box")
        assert (done.returncode, done.stdout) == (1, "unhealthy\n"), policy
        if policy in ("none", "restart"):
            wait_until(lambda: host.state("box")["Running"], "it does not run")
        else:
            host.wait_ended("box")
            assert host.run("healthcheck", "run", "box").returncode == 125
        host.good("rm", "-f", "box")
    host.launch(layout, options=["--name", "box"])
    done = host.run("healthcheck", "run", "box")
    assert done.returncode == 125 and "health check" in done.stderr


# --- exec ---

def test_exec_with_a_terminal_has_a_kind_of_terminal(host, layout):
    host.launch(layout, options=["--name", "plain"])
    host.launch(layout, options=["--name", "own", "-e", "TERM=vt52"])
    term = lambda *words: host.good("exec", *words, "sh", "-c", "echo -n $TERM").strip()
    assert term("plain") == "" and term("-t", "plain") == "xterm" and term("-t", "-e", "TERM=foo", "plain") == "foo"
    assert term("-t", "own") == "vt52" and term("own") == "vt52" and term("-t", "-e", "TERM=", "plain") == ""


def test_exec_as_another_user_has_the_groups_that_were_added(host, layout):
    host.launch(layout, options=["--name", "box", "--group-add", "7,audio", "--group-add", "9"])
    groups = lambda *words: sorted(map(int, host.good("exec", *words, "box", "id", "-G").split()))
    assert groups() == [0, 7, 9, 29]
    for user in ("root", "0", "root:root", "0:0"):
        assert groups("--user", user) == [0, 7, 9, 29], user
    assert groups("--user", "web") == [7, 9, 29, 44, 1001] and groups("--user", "web:web") == [7, 9, 29, 1001]
    assert groups("--user", "1234") == [0, 7, 9, 29]
    host.launch(layout, options=["--name", "none"])
    assert host.good("exec", "--user", "web:web", "none", "id", "-G") == "1001\n"


# --- values ---

def test_values_that_are_usual_elsewhere(host, layout):
    container = host.launch(layout, options=["--memory", "0.5g", "--log-opt", "max-size=1.5m", "--stop-timeout", "-1", "--name", "box"])
    shown = host.inspect(container)
    assert shown["HostConfig"]["Memory"] == 1 << 29
    stop = subprocess.Popen(host.command("stop", "box"), stdout=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        stop.wait(2)  # its first process heeds no TERM
    host.good("kill", "box")
    assert stop.wait(20) == 0


def test_an_entrypoint_with_arguments(host, layout):
    assert host.good("run", "--rm", "--entrypoint", '["/bin/echo", "-n", "a b"]', layout, "c") == "a b c"
    assert host.good("run", "--rm", "--entrypoint", "[]", layout, "echo", "-n", "x") == "x"
    assert host.run("run", "--rm", "--entrypoint", "[", layout, "-e", "/bin", "]").returncode == 127, "no applet, but no usage error"
    assert host.run("run", "--rm", "--entrypoint", "[1]", layout).returncode == 125


def test_volumes_by_expression_and_all(host, layout):
    for name in ("volume_1_x", "volume_2_x", "other"):
        host.good("volume", "create", name)
    shown = lambda value: host.good("volume", "ls", "-q", "--filter", f"name={value}").split()
    assert shown("volume_1.+") == ["volume_1_x"] and shown("volume_1*") == ["volume_1_x", "volume_2_x"] and shown("^oth") == ["other"]
    assert "regular expression" in host.run("volume", "ls", "-f", "name=(").stderr
    assert host.good("volume", "ls", "--noheading").split() == ["local", "other", "local", "volume_1_x", "local", "volume_2_x"]
    host.launch(layout, options=["--name", "box", "-v", "other:/o"])
    done = host.run("volume", "rm", "--all")
    assert done.stdout == "volume_1_x\nvolume_2_x\n" and done.returncode == 1 and "in use" in done.stderr
    host.good("rm", "-f", "box")
    assert host.good("volume", "rm", "-a") == "other\n" and host.good("volume", "rm", "-a") == ""
    assert host.run("volume", "rm", "-a", "x").returncode == 2


def test_a_compressed_tar_is_told_from_a_broken_one(host, layout):
    host.launch(layout, options=["--name", "box"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"hey"))
    done = host.run("cp", "-", "box:/tmp", input=gzip.compress(buffer.getvalue()), text=False)
    assert done.returncode == 2 and b"compressed by gzip" in done.stderr and b"gzip -dc" in done.stderr
    host.good("cp", "--pause=false", "-", "box:/tmp", input=buffer.getvalue(), text=False)
    assert host.good("exec", "box", "cat", "/tmp/file") == "hey"
