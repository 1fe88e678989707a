"""podman's own commands on containers, with knarr as its runtime."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

from clients import needs_verb
from oci import wait_until
from podman import IMAGE, leftovers, open_podman


@pytest.fixture(scope="module")
def podman(knarr_path, tmp_path_factory):
    yield from open_podman(knarr_path, tmp_path_factory.mktemp("podman"))


@pytest.fixture(scope="module")
def running(podman):
    """A container that the tests which change nothing of it share."""
    return podman.run_detached("shared")


def run(podman, *words, runtime=None, **options):
    return podman.run("run", "--rm", "--network=none", IMAGE, *words, runtime=runtime, **options)


@pytest.mark.parametrize("words, status", [
    (["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "sleep 9 & kill -9 $!; wait $!"], 137),
    (["no-such-program"], 127), (["/no/such/program"], 127), (["/junk"], 126), (["/etc"], 126)])
def test_exit_statuses_are_those_with_runc(podman, words, status):
    done = run(podman, *words)
    assert done.returncode == status == run(podman, *words, runtime="runc").returncode
    if status in (126, 127):
        assert words[0] in done.stderr and "knarr: " in done.stderr, done.stderr


def test_podman_knows_what_kind_of_failure_it_was(podman):
    missing = run(podman, "no-such-program").stderr
    assert "attempted to invoke a command that was not found" in missing
    assert "executable file not found in $PATH" in missing
    assert "set PATH" in missing, "the fix reaches the user of podman"
    assert "OCI permission denied" in run(podman, "/junk").stderr


def test_output_and_input_pass_through(podman):
    done = podman.run("run", "--rm", "--interactive", "--network=none", IMAGE, "sh", "-c",
                      "cat; echo bad >&2", input="from outside", stdin=None)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("from outside", "bad\n")


def test_a_detached_container_lives_is_looked_at_and_ends(podman):
    container = podman.run_detached("life")
    assert podman.ok("logs", "life") == "hello"
    assert "life" in podman.ok("ps", "--format={{.Names}}")
    assert podman.ok("exec", "life", "cat", "/proc/1/comm") == "sh"
    podman.ok("stop", "--time=20", "life")
    assert podman.ok("inspect", "--format={{.State.ExitCode}} {{.State.Status}}", "life") == "3 exited"
    assert podman.ok("logs", "life") == "hello\nbye"
    podman.ok("start", "life")
    podman.ok("kill", "--signal=KILL", "life")
    assert podman.ok("wait", "life") == "137"
    podman.ok("rm", "life")
    assert leftovers(podman, container) == {"cgroups": [], "mounts": [], "states": []}


def test_signals_arrive_by_name_and_number(podman):
    for given in ("TERM", "SIGTERM", "15"):
        podman.run_detached("signalled")
        wait_until(lambda: "hello" in podman.ok("logs", "signalled"), "it does not start")
        podman.ok("kill", f"--signal={given}", "signalled")
        assert podman.ok("wait", "signalled") == "3"
        podman.ok("rm", "signalled")


def test_a_running_container_is_removed_by_force(podman):
    container = podman.run_detached("forced")
    podman.ok("rm", "--force", "--time=0", "forced")
    assert leftovers(podman, container) == {"cgroups": [], "mounts": [], "states": []}


EXECS = [
    ([], ["sh", "-c", "exit 4"], 4, ""),
    ([], ["id", "-u"], 0, "0"),
    (["--user", "web"], ["id"], 0, "uid=1000(web) gid=1001(web) groups=29(audio)"),
    (["--user", "5:6"], ["id"], 0, "uid=5 gid=6"),
    (["--workdir", "/tmp"], ["pwd"], 0, "/tmp"),
    (["--env", "A=b c"], ["sh", "-c", "echo $A"], 0, "b c"),
    (["--privileged"], ["grep", "CapEff", "/proc/self/status"], 0, None),
    (["--tty"], ["tty"], 0, "/dev/pts/0"),
    ([], ["no-such-program"], 127, None),
    ([], ["/junk"], 126, None),
]


@pytest.mark.parametrize("options, words, status, output", EXECS,
                         ids=[" ".join([*o, *w])[:40] for o, w, _, _ in EXECS])
def test_exec(podman, running, options, words, status, output):
    done = podman.run("exec", *options, "shared", *words)
    assert done.returncode == status, done.stderr
    if output is not None:
        assert done.stdout.replace("\r", "").strip() == output


def test_a_detached_exec_runs(podman, running):
    podman.ok("exec", "--detach", "shared", "touch", "/tmp/made")
    wait_until(lambda: podman.run("exec", "shared", "ls", "/tmp/made").returncode == 0, "not run")


def test_top_and_stats_look_into_it(podman, running):
    assert "sh -c" in podman.ok("top", "shared", "args")
    name, processes = podman.ok("stats", "--no-stream", "--format={{.Name}} {{.PIDs}}", "shared").split()
    assert name == "shared" and int(processes) >= 1


def test_a_terminal_has_the_size_of_ours_and_carries_both_ways(podman):
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "77"], stdin=slave, check=True)
    process = podman.start("run", "--rm", "-it", "--network=none", IMAGE, "sh", "-c",
                           "tty; read a; stty size; exit 5",
                           stdin=slave, stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    output = b""

    def read_until(what):
        nonlocal output
        while what not in output:
            more = os.read(master, 1024)
            assert more, output
            output += more

    read_until(b"/dev/pts/0")
    os.write(master, b"go\n")
    # podman tells conmon the size once it is attached; the program may have started before.
    read_until(b"33 77")
    assert process.wait(30) == 5, process.stderr.read()
    os.close(master)


def test_pausing_stops_a_container_and_unpausing_lets_it_go_on(podman):
    needs_verb(podman.knarr, "pause")
    podman.run_detached("paused")
    podman.ok("pause", "paused")
    assert podman.ok("inspect", "--format={{.State.Status}}", "paused") == "paused"
    assert podman.run("exec", "paused", "true").returncode != 0
    podman.ok("unpause", "paused")
    assert podman.ok("exec", "paused", "echo", "again") == "again"
    podman.ok("rm", "--force", "--time=0", "paused")


def test_limits_are_changed_while_it_runs(podman):
    needs_verb(podman.knarr, "update")
    podman.run_detached("updated", "--memory=64m")
    podman.ok("update", "--memory=96m", "--cpus=0.5", "updated")
    assert podman.ok("exec", "updated", "sh", "-c", "cd /sys/fs/cgroup;"
                     "cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us 2>/dev/null ||"
                     "cat memory.max cpu.max").split()[:2] == [str(96 << 20), "50000"]
    podman.ok("rm", "--force", "--time=0", "updated")


def test_being_killed_for_memory_is_reported_as_with_runc(podman):
    states = []
    for runtime in ("knarr", "runc"):
        podman.run("run", "--name=oom", "--network=none", "--memory=8m", IMAGE, "sh", "-c",
                   "exec tail /dev/zero", runtime=runtime)
        states.append(podman.ok("inspect", "--format={{.State.ExitCode}} {{.State.OOMKilled}}", "oom"))
        podman.ok("rm", "oom")
    assert states[0] == states[1] and states[0].startswith("137 ")


def test_a_health_check_runs_in_the_container(podman):
    podman.run_detached("health", "--health-cmd=test -e /healthy", "--health-interval=disable",
                        "--health-retries=1")
    assert podman.run("healthcheck", "run", "health").returncode == 1
    podman.ok("exec", "health", "touch", "/healthy")
    assert podman.run("healthcheck", "run", "health").returncode == 0
    podman.ok("rm", "--force", "--time=0", "health")


def test_a_checkpoint_is_refused_and_the_container_goes_on(podman, running):
    message = podman.refused("container", "checkpoint", "shared")
    assert re.search("checkpoint|CRIU", message, re.IGNORECASE), message
    assert podman.ok("exec", "shared", "echo", "alive") == "alive"


def test_files_are_copied_in_and_out(podman, running):
    source = podman.directory / "copied"
    source.write_text("text")
    podman.ok("cp", source, "shared:/tmp/copied")
    assert podman.ok("exec", "shared", "cat", "/tmp/copied") == "text"
    podman.ok("cp", "shared:/etc/group", podman.directory / "group")
    assert "audio" in (podman.directory / "group").read_text()


def status_after_a_signal(podman, name):
    """Of podman itself, which was sent SIGTERM while its container ran. None: it did not end."""
    process = podman.start("run", "--rm", "--network=none", f"--name={name}", IMAGE, "sh", "-c",
                           "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout.readline() == "ready\n"
    assert podman.ok("inspect", "--format={{.State.Status}}", name) == "running"
    # nsenter waits for its child, which is podman.
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    child = int(open(children, encoding="ascii").read().split()[0])
    os.kill(child, signal.SIGTERM)
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        os.kill(child, signal.SIGKILL)
        process.wait()
        return None


def test_a_signal_to_podman_reaches_the_program(podman):
    # podman 4.3 on a loaded machine is late to pass signals on, and now and then loses the exit status (with runc
    # as well): one of a few rounds has to work.
    statuses = []
    while 9 not in statuses:
        assert len(statuses) < 4, statuses
        statuses.append(status_after_a_signal(podman, f"proxied{len(statuses)}"))


def test_a_container_with_a_network_of_podmans(podman):
    done = podman.run("run", "--rm", "--network=bridge", IMAGE, "ip", "addr", "show", "dev", "eth0")
    if done.returncode != 0 and re.search("netavark|plugin|operation not supported", done.stderr):
        pytest.skip(f"podman's bridge network does not work here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0 and "inet 10." in done.stdout, done.stderr


def test_events_tell_the_whole_life(podman):
    run(podman, "true")
    podman.ok("run", "--rm", "--name=told", "--network=none", IMAGE, "true")
    lines = podman.ok("events", "--stream=false", "--filter=container=told", "--format=json").splitlines()
    states = [json.loads(line)["Status"] for line in lines]
    assert [s for s in states if s in ("create", "start", "died", "remove")] == \
        ["create", "start", "died", "remove"], states
