"""`run` of an image in the foreground: in front of one in the background, which has a log and outlives its client."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess

import pytest

import background
from background import host, layout, put_together  # fixtures and more
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

UNTIL_END = "while [ ! -e /vol/end ]; do sleep 0.05; done"
LINES = "i=0; while [ $i -lt 30000 ]; do echo a line of the program $i; i=$((i+1)); done"
ALL_LINES = b"".join(b"a line of the program %d\n" % i for i in range(30000))


def sh(layout, text, *options):
    return ["run", "-q", "--name", "box", *options, layout, "sh", "-c", text]


def begin(host, words, **options):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(host.command(*words), **options)


def log_of(host, name="box"):
    return put_together(host.data / "containers" / host.inspect(name)["Id"] / "logs")


def wait_log(host, text):
    wait_until(lambda: host.containers() and host.run("logs", "box").stdout == text, "nothing is in the log", 60)


def test_what_it_writes_is_shown_and_kept(host, layout):
    done = host.run(*sh(layout, "printf out; echo err >&2; exit 7"))
    assert (done.returncode, done.stdout, done.stderr) == (7, "out", "err\n")
    kept = host.run("logs", "box")
    assert (kept.stdout, kept.stderr) == ("out", "err\n")
    assert host.state("box")["ExitCode"] == 7 and host.state("box")["Status"] == "exited"


@pytest.fixture
def volume(scratch):
    (scratch / "vol").mkdir()
    return scratch / "vol"


@pytest.mark.parametrize("how", ["at once", "late"])
def test_fifty_megabytes_before_the_end_all_arrive(host, layout, volume, how):
    data = os.urandom(1 << 20) * 50
    (volume / "data").write_bytes(data)
    client = begin(host, sh(layout, "cat /vol/data; echo done >&2", "-v", f"{volume}:/vol"))
    if how == "late":
        wait_until(lambda: host.containers() and host.state("box")["Status"] == "exited", "it waits for a reader", 120)
        assert client.poll() is None
    out, err = client.communicate(timeout=120)
    assert (client.returncode, err) == (0, b"done\n")
    assert hashlib.sha256(out).digest() == hashlib.sha256(data).digest()
    assert host.run("logs", "box", text=False).stdout == data


def test_a_reader_that_goes_away_ends_the_client_alone(host, layout, volume):
    client = begin(host, sh(layout, f"echo one; {UNTIL_END}; echo two; echo three; exit 5", "-v", f"{volume}:/vol"))
    assert client.stdout.readline() == b"one\n"
    client.stdout.close()
    (volume / "end").touch()
    assert client.wait(60) == 125
    assert b"nobody reads any more" in client.stderr.read()
    host.wait_ended("box")
    assert host.state("box")["ExitCode"] == 5
    assert host.good("logs", "box") == "one\ntwo\nthree\n"


def files(host):
    return sorted(int(path.stem) for path in host.data.rglob("logs/*.log"))


def test_rotation_takes_nothing_from_who_is_in_front(host, layout):
    client = begin(host, sh(layout, f"{LINES}; echo e >&2", "--log-opt", "max-size=16k", "--log-opt", "max-file=2"))
    wait_until(lambda: host.containers() and host.state("box")["Status"] == "exited", "it waits for a reader", 120)
    assert len(files(host)) > 2 and client.poll() is None
    out, err = client.communicate(timeout=60)
    assert (client.returncode, err) == (0, b"e\n")
    assert out == ALL_LINES
    assert len(files(host)) == 2, "what was kept for him is still there"


def test_what_was_kept_for_one_who_was_killed_goes_with_the_next_run(host, layout):
    client = begin(host, sh(layout, LINES, "--log-opt", "max-size=16k", "--log-opt", "max-file=2"))
    wait_until(lambda: host.containers() and host.state("box")["Status"] == "exited", "it waits for a reader", 120)
    client.stdout.close()
    client.kill()
    client.wait()
    wait_until(lambda: len(files(host)) > 2, "nothing is kept for him")
    host.good("start", "box")
    host.good("wait", "box")
    assert len(files(host)) == 2


def test_one_that_keeps_up_keeps_nothing(host, layout, volume):
    client = begin(host, sh(layout, f"{LINES}; {UNTIL_END}", "--log-opt", "max-size=16k", "-v", f"{volume}:/vol"))
    assert client.stdout.read(len(ALL_LINES)) == ALL_LINES
    assert len(files(host)) < 30
    (volume / "end").touch()
    assert client.wait(60) == 0


def test_start_in_front_misses_nothing_either(host, layout):
    host.good("create", "-q", "--name", "box", "--log-opt", "max-size=16k", layout, "sh", "-c", LINES)
    for _ in range(2):
        client = begin(host, ["start", "-a", "box"])
        wait_until(lambda: host.state("box")["Status"] == "exited", "it waits for a reader", 120)
        assert client.communicate(timeout=60)[0] == ALL_LINES


def test_it_outlives_its_client(host, layout, volume):
    script = f"echo up; {UNTIL_END}; echo later; exit 6"
    client = begin(host, sh(layout, script, "-v", f"{volume}:/vol"))
    assert client.stdout.readline() == b"up\n"
    other = begin(host, ["attach", "box"])
    waiting = begin(host, ["wait", "box"])
    wait_until(lambda: (pathlib.Path("/proc") / str(other.pid) / "task" / str(other.pid) / "children").read_text(),
               "it does not attach")
    client.kill()
    assert client.wait() == -signal.SIGKILL
    assert [row.split()[-1] for row in host.good("ps").splitlines()[1:]] == ["box"]
    (volume / "end").touch()
    assert (other.wait(60), other.stdout.read()) == (6, b"later\n")
    assert waiting.communicate(timeout=60)[0] == b"6\n"
    host.wait_ended("box")
    assert host.good("logs", "box") == "up\nlater\n"
    told = host.good("events", "--since", "1h", "--until", "0s", "--format", "{{.Status}}").split()
    assert told == ["create", "start", "die"]


def test_stdin_is_its_own_but_for_i(host, layout):
    done = host.run(*sh(layout, "cat; echo end; readlink /proc/self/fd/0".replace("readlink", "busybox readlink")),
                    input="in\n")
    assert (done.returncode, done.stdout) == (0, "end\n/dev/null\n")
    host.good("rm", "box")
    done = host.run(*sh(layout, "cat; echo end; exit 2", "-i"), input="in\n")
    assert (done.returncode, done.stdout) == (2, "in\nend\n")
    host.good("rm", "box")
    data = os.urandom(5 << 20)
    done = host.run(*sh(layout, "cat", "-i"), input=data, text=False)
    assert done.returncode == 0 and done.stdout == data
    host.good("rm", "box")
    closed = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *host.command(*sh(layout, "cat; echo end", "-i"))],
                            capture_output=True, text=True, timeout=60, check=False)
    assert closed.stdout == "end\n", closed.stderr


def test_chosen_streams_are_shown_and_all_are_kept(host, layout):
    for options, shown in ((["-a", "stdout"], ("out\n", "")), (["-a", "stderr"], ("", "err\n")),
                           (["-a", "stdin,stderr"], ("", "in\nerr\n"))):
        done = host.run(*sh(layout, "cat >&2; echo out; echo err >&2; exit 3", *options), input="in\n")
        assert (done.returncode, done.stdout, done.stderr) == (3, *shown), options
        assert log_of(host) == {"stdout": b"out\n", "stderr": (b"in\n" if "stdin,stderr" in options else b"") + b"err\n"}
        host.good("rm", "box")


def test_stdin_alone_is_passed_on_and_left(host, layout, volume):
    """As docker: the ID is printed, and what it writes is found by that."""
    done = host.run(*sh(layout, f"cat; {UNTIL_END}; exit 4", "-i", "-a", "stdin", "-v", f"{volume}:/vol"), input="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, host.inspect("box")["Id"] + "\n", "")
    wait_log(host, "in\n")
    assert host.state("box")["Running"]
    (volume / "end").touch()
    assert host.good("wait", "box") == "4\n"


@pytest.mark.parametrize("words, code", [(["/nothing"], 127), (["/etc"], 126)])
def test_what_cannot_be_executed_is_told_once(host, layout, words, code):
    done = host.run("run", "-q", layout, *words)
    assert done.returncode == code and done.stdout == ""
    assert done.stderr.count("knarr run:") == 1 and words[0] in done.stderr
    assert host.containers() == [] and host.traces() == []


TRAP = "trap 'echo got it; exit 9' TERM INT; echo up; while :; do sleep 0.05; done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on(host, layout, number):
    client = begin(host, sh(layout, TRAP), start_new_session=True)
    assert client.stdout.readline() == b"up\n"
    os.killpg(client.pid, number)  # as a terminal does
    assert client.communicate(timeout=60)[0] == b"got it\n"
    assert client.returncode == 9


def test_a_signal_before_it_is_in_front_is_passed_on_too(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    client = begin(host, sh(layout, TRAP), env=dict(os.environ, KNARR_FAULT="attach.started=stop"))
    try:
        wait_log(host, "up\n")
        wait_until(lambda: pathlib.Path(f"/proc/{client.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T",
                   "it did not stop", 60)
        client.send_signal(signal.SIGINT)
        client.send_signal(signal.SIGCONT)
        assert client.communicate(timeout=60)[0] == b"up\ngot it\n"
        assert client.returncode == 9
    finally:
        client.kill()
        host.end()


def test_without_sig_proxy_signals_leave_it(host, layout):
    client = begin(host, sh(layout, TRAP, "--sig-proxy=false"))
    assert client.stdout.readline() == b"up\n"
    client.send_signal(signal.SIGTERM)
    assert client.wait(60) == 125 and b"left by SIGTERM" in client.stderr.read()
    assert host.state("box")["Running"]
    host.good("stop", "box")
    assert host.state("box")["ExitCode"] == 9


@pytest.mark.parametrize("reader", ["quick", "slow"])
def test_with_a_restart_policy_it_is_left_at_the_first_end(host, layout, reader):
    """As docker: its output is that of the first run, and its exit status."""
    script = f"echo run >> /runs; read n < /runs; {LINES}; exit 3"
    client = begin(host, sh(layout, script, "--restart", "on-failure:2"))
    if reader == "slow":
        wait_until(lambda: host.containers() and host.inspect("box")["RestartCount"] == 2
                   and host.state("box")["Status"] == "exited", "it is not started again", 120)
    out, err = client.communicate(timeout=60)
    assert (client.returncode, err) == (3, b"") and out == ALL_LINES
    wait_until(lambda: host.inspect("box")["RestartCount"] == 2 and host.state("box")["Status"] == "exited",
               "it is not started again", 120)
    assert host.run("logs", "box", text=False).stdout == ALL_LINES * 3


@pytest.mark.parametrize("options", [(), ("--rm",)], ids=["kept", "removed"])
def test_it_is_probed(host, layout, volume, options):
    client = begin(host, sh(layout, UNTIL_END, "--health-cmd", "true", "--health-interval", "1s", "-v",
                            f"{volume}:/vol", *options))
    wait_until(lambda: host.containers() and host.state("box").get("Health", {}).get("Status") == "healthy",
               "it is not probed", 60)
    (volume / "end").touch()
    assert client.wait(60) == 0
    assert [one["name"] for one in host.containers()] == (["box"] if not options else [])


def test_want_of_memory_is_told(host, layout):
    done = host.run("run", "-q", "--name", "box", "--memory", "16m", "--memory-swap", "16m", layout,
                    "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
    assert done.returncode == 137
    assert "out of memory" in done.stderr and "16.0 MiB" in done.stderr and "peak use" in done.stderr
    assert host.state("box")["OOMKilled"] is True
    # Of another end nothing is said.
    host.good("rm", "box")
    client = begin(host, sh(layout, "echo up; sleep 1000"))
    assert client.stdout.readline() == b"up\n"
    host.good("kill", "box")
    assert client.wait(60) == 137 and client.stderr.read() == b""


@pytest.mark.parametrize("options, environment", [
    (("--rm",), {}), (("--log-driver", "none"), {}), ((), {"NOTIFY_SOCKET": "/run/nobody/here"})],
    ids=["rm", "none", "notify"])
def test_these_have_the_callers_own_streams(host, layout, volume, options, environment):
    script = f"busybox readlink /proc/self/fd/1; {UNTIL_END}; exit 2"
    client = begin(host, sh(layout, script, "-v", f"{volume}:/vol", *options), env=dict(os.environ, **environment))
    assert client.stdout.readline().decode().strip() == os.readlink(f"/proc/{client.pid}/fd/1")
    wait_until(lambda: host.state("box")["Running"], "its start is not put down", 60)
    assert host.monitors() == []
    refused = host.run("attach", "box")
    assert refused.returncode == 5 and "without --rm" in refused.stderr
    assert host.run("logs", "box").returncode == 5
    (volume / "end").touch()
    assert client.wait(60) == 2


def test_what_needs_a_log_is_refused_without_one(host, layout):
    for words, told in ((["--restart", "always"], "--restart"), (["--health-cmd", "true"], "--health-cmd"),
                        (["--sig-proxy=false"], "--sig-proxy=false")):
        refused = host.run("run", "-q", "--log-driver", "none", *words, layout, "true")
        assert refused.returncode == 125 and f"{told} in the foreground needs a log" in refused.stderr
    assert host.containers() == []


def test_with_rm_and_sig_proxy_false_nothing_is_left(host, layout):
    done = host.run(*sh(layout, "echo out; exit 3", "--rm", "--sig-proxy=false"))
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert host.containers() == [] and host.traces() == []


def test_the_pull_is_told_before_the_programs_words(host, layout, scratch):
    with open(scratch / "both", "wb") as both:
        done = subprocess.run(host.command("run", "--init", "--cidfile", scratch / "id", layout, "echo", "words"),
                              stdin=subprocess.DEVNULL, stdout=both, stderr=both, timeout=60, check=False)
    lines = (scratch / "both").read_text().splitlines()
    assert done.returncode == 0 and len(lines) > 1 and lines[-1] == "words"
    assert json.loads(host.good("inspect", (scratch / "id").read_text()))[0]["State"]["ExitCode"] == 0


def test_a_full_disk_makes_the_program_wait(host, layout):
    """And nothing is lost to who is in front."""
    host.good("pull", "-q", layout)
    (host.data / "containers").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", host.data / "containers"], check=True)
    try:
        client = begin(host, sh(layout, f"{LINES}; echo end >&2"))
        wait_until(lambda: host.containers() and host.state("box")["Error"] != "", "nobody says that the disk is full", 60)
        assert host.state("box")["Running"]
        subprocess.run(["mount", "-o", "remount,size=64m", host.data / "containers"], check=True)
        out, err = client.communicate(timeout=60)
        assert (client.returncode, out, err) == (0, ALL_LINES, b"end\n")
    finally:
        host.run("rm", "-f", "box")
        subprocess.run(["umount", "-l", host.data / "containers"], check=True)
