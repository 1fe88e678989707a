"""Terminals of containers in the background: run -it, run -d -t, attach, detach keys, start -a."""

import ctypes
import errno
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import background
import images
from background import host, knows_exit_codes_of_strangers  # fixture and more
from oci import wait_until
from terminals import Screen, get_size, set_size

pytestmark = pytest.mark.usefixtures("needs_root")

DETACH = b"\x10\x11"
# Answers each line, tells its size on demand, and ends as it is told.
ECHO = ("echo ready; while read word rest; do case $word in end) exit $rest;; "
        "size) stty size;; *) echo got $word;; esac; done")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layer = images.Layer()
    layer.symlink("bin/stty", "busybox")
    return images.write_layout(tmp_path_factory.mktemp("image") / "box",
                               [images.base_layer(), layer.bytes()])


@pytest.fixture
def screens():
    """Makes terminals of callers."""
    made = []

    def make(host, *words):
        screen = Screen()
        made.append(screen)
        screen.start(host.command(*words), dict(os.environ))
        return screen
    yield make
    for screen in made:
        screen.close()


def test_one_may_leave_and_come_back(host, layout, screens):
    first = screens(host, "run", "-it", "-q", "--name", "box", layout, "sh", "-c", ECHO)
    first.expect(b"ready\r\n")
    first.type(b"one\n")
    first.expect(b"got one\r\n")
    first.type(DETACH)
    assert first.wait() == 0
    assert first.is_restored()
    assert host.state("box")["Status"] == "running"
    second = screens(host, "attach", "box")
    wait_until(second.is_raw, "the terminal is not raw")
    second.type(b"two\nend 7\n")
    assert second.wait() == 7
    assert b"got two\r\n" in second.seen and b"got one" not in second.seen
    assert second.is_restored()
    assert host.good("wait", "box") == "7\n"
    log = host.good("logs", "box")
    assert "got one\n" in log and "got two\n" in log


def test_what_is_typed_at_once_with_the_keys_is_the_programs(host, layout, screens):
    screen = screens(host, "run", "-it", "-q", "--name", "box", layout, "sh", "-c", ECHO)
    screen.expect(b"ready\r\n")
    wait_until(screen.is_raw, "the terminal is not raw")
    screen.type(b"one\n" + DETACH)
    assert screen.wait() == 0
    wait_until(lambda: "got one\n" in host.good("logs", "box"), "what was typed is lost")
    screen = screens(host, "exec", "-it", "box", "sh", "-c",
                     "echo ready; read word; echo $word > /said; exec sleep 1000")
    screen.expect(b"ready\r\n")
    wait_until(screen.is_raw, "the terminal is not raw")
    screen.type(b"two\n" + DETACH)
    assert screen.wait() == 0
    wait_until(lambda: host.run("exec", "box", "grep", "-q", "two", "/said").returncode == 0,
               "what was typed is lost")


def test_other_keys_may_leave_and_these_are_typed_then(host, layout, screens):
    screen = screens(host, "run", "-it", "-q", "--rm", "--detach-keys", "ctrl-x,d", "--name", "box", layout,
                     "sh", "-c", ECHO)
    screen.expect(b"ready\r\n")
    screen.type(b"\x18d")
    assert screen.wait() == 0
    assert host.state("box")["Running"]
    refused = host.run("attach", "--detach-keys", "ctrl-1", "box")
    assert refused.returncode == 2 and "ctrl-1" in refused.stderr


def test_with_rm_nothing_is_left_and_the_exit_code_is_the_programs(host, layout, screens):
    screen = screens(host, "run", "-it", "-q", "--rm", layout, "sh", "-c", "echo hello; exit 9")
    assert screen.wait() == 9
    assert b"hello\r\n" in screen.seen
    assert host.traces() == []


def test_a_killed_client_leaves_a_sane_terminal_and_the_container(host, layout, screens):
    screen = screens(host, "run", "-it", "-q", "--name", "box", layout, "sh", "-c", ECHO)
    screen.expect(b"ready\r\n")
    wait_until(screen.is_raw, "the terminal is not raw")
    os.kill(screen.process.pid, signal.SIGKILL)
    assert screen.wait() == -signal.SIGKILL
    wait_until(screen.is_restored, "the terminal was not restored")
    assert host.state("box")["Status"] == "running"


def test_the_terminal_has_the_size_of_who_attaches_last(host, layout, screens):
    container = host.launch(layout, "sh", "-c", ECHO, options=["-t"])
    screen = screens(host, "attach", container)
    wait_until(screen.is_raw, "the terminal is not raw")
    screen.type(b"size\n")
    screen.expect(b"40 100\r\n")
    inside = os.open(f"/proc/{host.state(container)['Pid']}/fd/0", os.O_RDWR | os.O_NOCTTY)
    try:
        set_size(screen.slave, 11, 22)
        wait_until(lambda: get_size(inside) == (11, 22), "the size did not follow")
    finally:
        os.close(inside)


# Tells each size that its terminal gets; a shell's own trap would wait for the end of its read.
SIZES = ("trap 'echo now $(stty size)' WINCH; echo ready; while :; do sleep 1000 & wait; done")


@pytest.mark.parametrize("words", [["attach"], ["start", "-a"], ["attach", "--no-stdin"]])
def test_who_attaches_has_the_screen_drawn_again(host, layout, screens, words):
    first = screens(host, "run", "-it", "-q", "--name", "box", layout, "sh", "-c", SIZES)
    first.expect(b"ready\r\n")
    first.type(DETACH)
    assert first.wait() == 0
    assert b"now" not in first.seen  # a new screen is not drawn twice
    screen = screens(host, *words, "box")
    screen.expect(b"now 41 101\r\nnow 40 100\r\n")
    set_size(screen.slave, 11, 22)
    screen.expect(b"now 11 22\r\n")


def test_keys_typed_at_the_first_byte_reach_the_program(host, layout, screens):
    """The terminal is raw before anything is shown: not echoed, and without waiting for a line's end."""
    for words in (["run", "-it", "-q", layout], ["run", "-it", "--rm", "-q", layout]):
        for _ in range(5):
            screen = screens(host, *words, "sh", "-c", "stty raw -echo; echo ready; head -c 1 | od -An -tx1")
            screen.expect(b"ready")
            screen.type(b"\x03")
            assert screen.wait() == 0 and b" 03" in screen.seen, screen.seen


def test_without_a_terminal_of_ones_own_nothing_is_drawn_again(host, layout):
    container = host.launch(layout, "sh", "-c", SIZES, options=["-t"])
    wait_until(lambda: "ready" in host.good("logs", container), "it is not ready")
    client = subprocess.Popen(host.command("attach", container), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    wait_until(lambda: len(children(client.pid)) == 1, "nothing is shown")
    host.good("kill", container)
    assert client.communicate(timeout=30)[0] == b"" and client.returncode == 137


def test_what_is_written_before_anybody_attaches_is_in_the_log(host, layout):
    container = host.launch(layout, "sh", "-c", "test -t 0 && echo tty; sleep 1000", options=["-t"])
    wait_until(lambda: host.good("logs", container) == "tty\n", "nothing is in the log")
    assert host.inspect(container)["Config"]["Tty"] is True


def test_a_stopped_client_holds_nothing_up(host, layout, screens):
    line = "read start; i=0; while [ $i -lt 30000 ]; do echo a line of the program $i; i=$((i+1)); done; exit 3"
    screen = screens(host, "run", "-it", "-q", "--name", "box", layout, "sh", "-c", line)
    wait_until(screen.is_raw, "the terminal is not raw")
    everybody = [screen.process.pid, *children(screen.process.pid)]
    for pid in everybody:
        os.kill(int(pid), signal.SIGSTOP)
    other = subprocess.run(host.command("attach", "box"), input=b"\n", stdout=subprocess.DEVNULL, timeout=60,
                           check=False)
    assert other.returncode == 3
    assert host.good("logs", "box").endswith("a line of the program 29999\n")
    for pid in everybody:
        os.kill(int(pid), signal.SIGCONT)
    assert screen.wait(60) == 3
    assert screen.seen.count(b"a line of the program") == 30000


def test_a_stopped_client_does_not_keep_what_is_to_be_removed(host, layout, screens):
    screen = screens(host, "run", "-it", "-q", "--rm", "--name", "box", layout, "sh", "-c", ECHO)
    screen.expect(b"ready\r\n")
    os.kill(screen.process.pid, signal.SIGSTOP)
    host.good("kill", "box")
    try:
        wait_until(lambda: host.containers() == [] and not host.monitors(), "it was not removed", 60)
    finally:
        os.kill(screen.process.pid, signal.SIGCONT)
    assert screen.wait() == 128 + signal.SIGKILL


def test_without_a_log_it_is_shown_all_the_same(host, layout, screens):
    screen = screens(host, "run", "-it", "-q", "--name", "box", "--log-driver", "none", layout, "sh", "-c", ECHO)
    screen.expect(b"ready\r\n")
    screen.type(b"one\n")
    screen.expect(b"got one\r\n")
    assert host.run("logs", "box").returncode == 5
    assert list(host.data.rglob("*.log")) == []
    screen.type(b"end 2\n")
    assert screen.wait() == 2


@pytest.mark.parametrize("words, code", [(["/nothing"], 127), (["/etc"], 126)])
def test_what_cannot_be_executed_leaves_nothing(host, layout, screens, words, code):
    screen = screens(host, "run", "-it", "-q", layout, *words)
    assert screen.wait() == code
    assert screen.is_restored()
    assert host.containers() == []


def test_several_see_the_same(host, layout, screens):
    container = host.launch(layout, "sh", "-c", ECHO, options=["-t"])
    pair = [screens(host, "attach", container) for _ in range(2)]
    for screen in pair:
        wait_until(screen.is_raw, "the terminal is not raw")
    pair[0].type(b"word\n")
    for screen in pair:
        screen.expect(b"got word\r\n")


@pytest.mark.parametrize("times", [1, 2])
def test_a_killed_monitor_takes_nobody_along(host, layout, screens, times):
    screen = screens(host, "run", "-it", "-q", "--name", "box", layout, "sh", "-c", ECHO)
    screen.expect(b"ready\r\n")
    for word in (b"first", b"second")[:times]:
        before = set(host.monitors())
        wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors", 60)
        lock = (host.root / host.inspect("box")["Id"] / "monitor").stat()
        watching = [pid for pid in host.monitors() if holds(pid, lock)]
        os.kill(watching[0], signal.SIGKILL)
        wait_until(lambda: before != set(host.monitors()) and len(host.monitors()) == 2,
                   "no monitor came after the killed one", 60)
        screen.type(word + b"\n")
        screen.expect(b"got " + word + b"\r\n")
    screen.type(b"end 5\n")
    assert screen.wait() == 5


@pytest.mark.parametrize("others", [0, 8], ids=["alone", "in a queue"])
def test_who_waits_for_a_stopped_monitor_can_leave(host, layout, others):
    container = host.launch(layout, "sleep", "1000", options=["-t"])
    wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors", 60)
    monitors = host.monitors()
    queue = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) for _ in range(others)]
    for pid in monitors:
        os.kill(pid, signal.SIGSTOP)
    try:
        # More than are let in: whoever comes after them would wait for the monitor in connect(2).
        refused = [one.connect_ex(str(host.root / container / "attach")) for one in queue]
        assert not others or refused[-1] == errno.EAGAIN
        waiting = subprocess.Popen(host.command("attach", container), stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        wait_until(lambda: holds_signals_back(waiting.pid), "it does not wait")
        waiting.send_signal(signal.SIGTERM)
        try:
            said = waiting.communicate(timeout=60)[1]
        finally:
            waiting.kill()
        assert "left by SIGTERM" in said
    finally:
        for one in queue:
            one.close()
        for pid in monitors:
            os.kill(pid, signal.SIGCONT)


def holds_signals_back(pid):
    status = open(f"/proc/{pid}/status", encoding="ascii").read()
    blocked = int(status.split("SigBlk:")[1].split()[0], 16)
    return bool(blocked & 1 << (signal.SIGTERM - 1))


def holds(pid, lock):
    try:
        entries = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for entry in entries:
        try:
            seen = os.stat(f"/proc/{pid}/fd/{entry}")
        except OSError:
            continue
        if (seen.st_dev, seen.st_ino) == (lock.st_dev, lock.st_ino):
            return True
    return False


def test_a_removal_that_fails_keeps_nobody_from_his_terminal(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    screen = Screen()
    try:
        screen.start(host.command("run", "-it", "-q", "--rm", "--name", "box", layout, "sh", "-c", ECHO),
                     dict(os.environ, KNARR_FAULT="monitor.ended"))
        screen.expect(b"ready\r\n")
        wait_until(screen.is_raw, "the terminal is not raw")
        screen.type(b"end 7\n")
        wait_until(screen.is_restored, "the terminal is still raw")
        screen.type(b"\x03")
        assert screen.wait() not in (0, 7)
        assert b"left by SIGINT" in screen.seen and screen.is_restored()
        host.good("rm", "-f", "box")
    finally:
        screen.close()
        host.end()


@pytest.mark.parametrize("how", ["", "=kill"])
def test_a_launch_that_ends_with_its_terminal_handed_over_leaves_nothing(breakable_knarr, scratch, layout, how):
    host = background.Host(breakable_knarr, scratch)
    screen = Screen()
    try:
        environment = dict(os.environ, KNARR_FAULT="background.terminal" + how)
        screen.start(host.command("run", "-it", "-q", layout, "true"), environment)
        assert screen.wait() == 125
        assert screen.is_restored()
        wait_until(lambda: not host.monitors(), "monitors are left")
    finally:
        screen.close()
    if how:
        assert b"was killed" in screen.seen
    else:
        assert b"background.terminal" in screen.seen
        assert host.containers() == []
    host.end()


def test_who_is_attached_keeps_the_terminal_when_both_monitors_are_killed(host, layout, screens):
    screen = screens(host, "run", "-it", "-q", "--name", "box", layout, "sh", "-c", ECHO)
    screen.expect(b"ready\r\n")
    first = kill_both(host)
    screen.type(b"still there\n")
    screen.expect(b"got still\r\n", 60)
    lock = (host.root / host.inspect("box")["Id"] / "terminal").stat()
    wait_until(lambda: [holds(pid, lock) for pid in host.monitors()] == [True, True], "not both have the terminal", 60)
    assert not set(first) & set(host.monitors())
    second = screens(host, "attach", "box")
    wait_until(second.is_raw, "the terminal is not raw")
    screen.type(b"end 6\n")
    assert (screen.wait(60), second.wait(60)) == (6, 6)


def kill_both(host):
    """Kills both monitors before one of them can start another in the other's place."""
    wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors", 60)
    both = host.monitors()
    for sign in (signal.SIGSTOP, signal.SIGKILL):
        for pid in both:
            os.kill(pid, sign)
    return both


def test_a_terminal_that_nobody_has_any_more_is_no_place_to_be(host, layout):
    container = host.launch(layout, "sh", "-c", "trap '' HUP; echo ready; sleep 1000", options=["-t"])
    wait_until(lambda: host.good("logs", container) == "ready\n", "it is not ready")
    kill_both(host)
    refused = host.run("attach", container)
    assert refused.returncode == 1 and "its terminal is gone" in refused.stderr and "logs -f" in refused.stderr
    assert host.state(container)["Status"] == "running"


def test_who_comes_after_the_removal_learns_the_exit_code(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    screens = [Screen(), Screen()]
    try:
        for screen, point in zip(screens, ("attach.started", "attach.greeted")):
            screen.start(host.command("run", "-it", "-q", "--rm", layout, "sh", "-c", "exit 9"),
                         dict(os.environ, KNARR_FAULT=point + "=stop"))
        for screen in screens:
            wait_until(lambda pid=screen.process.pid: state_of(pid) == "T", "it did not stop", 60)
        wait_until(lambda: host.containers() == [] and not host.monitors(), "they were not removed", 60)
        for screen in screens:
            os.kill(screen.process.pid, signal.SIGCONT)
        assert [screen.wait(60) for screen in screens] == [9, 9], [screen.seen for screen in screens]
        assert all(screen.is_restored() for screen in screens)
    finally:
        for screen in screens:
            screen.close()
        host.end()


def test_an_end_that_is_reaped_late_is_waited_for_by_who_is_attached(host, layout):
    """Both monitors are killed, the new ones have removed the container, and its parent is slow to reap it."""
    if not knows_exit_codes_of_strangers():
        pytest.skip("this kernel keeps no exit codes for those who hold a pidfd (Linux 6.15)")
    set_subreaper(True)
    try:
        container = host.launch(layout, "sh", "-c", "echo up; while [ ! -e /end ]; do sleep 0.05; done; exit 9",
                                options=["--rm"])
        pid = host.state(container)["Pid"]
        attached = subprocess.Popen(host.command("attach", container), stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True)
        wait_until(lambda: children(attached.pid), "it does not attach")
        attached.send_signal(signal.SIGSTOP)
        killed = kill_both(host)
        host.good("exec", container, "touch", "/end")
        wait_until(lambda: host.containers() == [] and not set(host.monitors()) - set(killed), "it is not removed", 60)
        attached.send_signal(signal.SIGCONT)
        wait_until(lambda: attached.poll() is not None or not children(attached.pid), "it reads the log for ever", 60)
        assert attached.poll() is None, attached.stderr.read()
        os.waitpid(pid, 0)
        assert attached.wait(60) == 9, attached.stderr.read()
    finally:
        set_subreaper(False)
        for child in children(os.getpid()):
            if open(f"/proc/{child}/comm", encoding="ascii").read() == "knarr-monitor\n":
                os.waitpid(int(child), 0)


def set_subreaper(on):
    """Whether this process gets the children of those that die below it, as the first process does."""
    assert ctypes.CDLL(None, use_errno=True).prctl(36, int(on), 0, 0, 0) == 0


def state_of(pid):
    return open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0]


def test_why_nothing_can_be_shown_is_said(host, layout):
    container = host.good("create", "-q", layout, "echo", "text").strip()
    with open("/dev/full", "w", encoding="ascii") as full:
        shown = subprocess.run(host.command("start", "-a", container), stdout=full, stderr=subprocess.PIPE, text=True,
                               timeout=60, check=False)
    assert shown.returncode == 1
    assert "cannot be shown" in shown.stderr and os.strerror(errno.ENOSPC) in shown.stderr


def test_a_stdin_that_is_something_else_is_refused(host, layout):
    container = host.launch(layout, "cat", options=["-i"])
    fifo = host.root / container / "stdin"
    fifo.unlink()
    fifo.symlink_to("/dev/null")
    refused = host.run("attach", container)
    assert refused.returncode != 0 and "its stdin" in refused.stderr
    fifo.unlink()
    # Where there is none, its input is over.
    attached = subprocess.Popen(host.command("attach", "--sig-proxy=false", container), stdin=subprocess.DEVNULL)
    wait_until(lambda: children(attached.pid), "it does not attach")
    attached.send_signal(signal.SIGTERM)
    assert attached.wait(60) != 0


def test_no_byte_is_lost(host, layout):
    line = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done"
    shown = subprocess.run(host.command("run", "-t", "--rm", "-q", layout, "sh", "-c", line),
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=True)
    assert shown.stdout.replace(b"\r", b"") == b"".join(b"%d\n" % i for i in range(20000))


def test_stdin_without_a_terminal(host, layout):
    container = host.launch(layout, "sh", "-c", "while read word; do echo got $word; [ $word != end ] || exit 3; done",
                            options=["-i"])
    attached = subprocess.run(host.command("attach", container), input=b"one\nend\n", capture_output=True,
                              timeout=60, check=False)
    assert attached.returncode == 3
    assert attached.stdout.endswith(b"got end\n")
    assert host.good("logs", container) == "got one\ngot end\n"


def test_start_in_front_of_it(host, layout, screens):
    plain = host.good("create", "-q", layout, "sh", "-c", "echo out; echo err >&2; exit 6").strip()
    shown = host.run("start", "-a", plain)
    assert (shown.returncode, shown.stdout, shown.stderr) == (6, "out\n", "err\n")
    terminal = host.good("create", "-q", "-it", layout, "sh", "-c", ECHO).strip()
    screen = screens(host, "start", "-ai", terminal)
    screen.expect(b"ready\r\n")
    screen.type(b"end 8\n")
    assert screen.wait() == 8


def test_piped_input_ends_where_its_container_was_started_by_who_pipes(host, layout):
    container = host.good("create", "-q", "-i", layout, "sh", "-c", "cat; exit 2").strip()
    for text in (b"once\n", b"and again\n"):
        shown = subprocess.run(host.command("start", "-ai", container), input=text, capture_output=True,
                               timeout=60, check=False)
        assert (shown.returncode, shown.stdout) == (2, text)


def test_signals_end_who_does_not_pass_them_on(host, layout):
    container = host.launch(layout, "sleep", "1000")
    attached = subprocess.Popen(host.command("attach", "--sig-proxy=false", "--no-stdin", container))
    wait_until(lambda: children(attached.pid), "it does not attach")
    attached.send_signal(signal.SIGTERM)
    assert attached.wait(60) != 0
    assert host.state(container)["Status"] == "running"


def test_signals_are_passed_on_without_a_terminal(host, layout):
    container = host.launch(layout, "sh", "-c", "trap 'echo term; exit 4' TERM; echo up; while :; do sleep 0.05; done")
    wait_until(lambda: host.good("logs", container) == "up\n", "it is not up")
    attached = subprocess.Popen(host.command("attach", container), stdout=subprocess.PIPE)
    wait_until(lambda: len(os.listdir(f"/proc/{attached.pid}/task")) == 1 and children(attached.pid), "it does not attach")
    attached.send_signal(signal.SIGTERM)
    assert attached.wait(60) == 4
    assert attached.stdout.read().endswith(b"term\n")


@pytest.mark.parametrize("words", [["attach"], ["start", "-a"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_terminals_signals_cut_nothing_off(host, layout, words, number):
    """A terminal signals all of its group, and so the process that shows the log, too."""
    script = ("trap 'echo bye; sleep 0.3; echo bye again; exit 3' INT TERM HUP; echo up; "
              "while :; do sleep 0.05; done")
    if words == ["attach"]:
        container = host.launch(layout, "sh", "-c", script)
    else:
        container = host.good("create", "-q", layout, "sh", "-c", script).strip()
    client = subprocess.Popen(host.command(*words, container), stdout=subprocess.PIPE, start_new_session=True)
    wait_until(lambda: host.state(container)["Running"] and host.good("logs", container) == "up\n", "it is not up")
    if words == ["attach"]:
        wait_until(lambda: children(client.pid), "it is not attached")
    else:
        assert client.stdout.readline() == b"up\n"
    os.killpg(client.pid, number)
    assert client.stdout.read().endswith(b"bye\nbye again\n")
    assert client.wait(60) == 3


def children(pid):
    return open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split()


def test_what_cannot_be_attached_to(host, layout):
    ended = host.launch(layout, "true")
    host.wait_ended(ended)
    refused = host.run("attach", ended)
    assert refused.returncode == 1 and "does not run" in refused.stderr
    container = host.launch(layout, "sleep", "1000", options=["-t"])
    host.good("pause", container)
    refused = host.run("attach", container)
    assert refused.returncode == 1 and "paused" in refused.stderr
    host.good("unpause", container)
    silent = host.launch(layout, "sleep", "1000", options=["--log-driver", "none"])
    refused = host.run("attach", silent)
    assert refused.returncode == 5 and "--log-driver none" in refused.stderr
    assert host.run("attach", "nobody").returncode == 1


def keepers(host):
    """All processes of this knarr's: with no container left, those that hold terminals."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += [entry] if str(host.root).encode() in pathlib.Path("/proc", entry, "cmdline").read_bytes() else []
        except OSError:
            continue  # it has ended
    return found


def test_exec_is_left_by_the_keys_and_its_program_goes_on(host, layout, screens):
    host.launch(layout, "sleep", "1000", options=["--name", "box"])
    before = len(host.good("top", "box").splitlines())
    held = set(keepers(host))
    screen = screens(host, "exec", "-it", "--detach-keys", "ctrl-x,d", "box", "sh", "-c",
                     "echo ready; read word; echo got $word; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); "
                     "echo line $i of what nobody sees any more; done; : > /done; exec sleep 1000")
    screen.expect(b"ready\r\n")
    screen.type(b"\x18")  # the beginning of the keys, which is typed after all
    screen.type(b"one\n")
    screen.expect(b"got \x18one\r\n")
    screen.type(b"\x18d")
    assert screen.wait() == 0
    assert screen.is_restored()
    wait_until(lambda: host.run("exec", "box", "sh", "-c", "test -e /done").returncode == 0,
               "the program is held up by a terminal that nobody reads")
    assert len(host.good("top", "box").splitlines()) == before + 1
    assert set(keepers(host)) - held
    host.good("rm", "-f", "box")
    refused = host.run("exec", "-t", "--detach-keys", "ctrl-1", "box", "true")
    assert refused.returncode == 255 and "ctrl-1" in refused.stderr
    host.end()
    wait_until(lambda: not keepers(host), "a process that held the terminal is left")


def test_exec_privileged_has_all_capabilities(host, layout):
    host.launch(layout, "sleep", "1000", options=["--name", "box"])
    caps = "grep CapEff /proc/self/status"
    plain, privileged = (int(host.good("exec", *words, "box", "sh", "-c", caps).split()[1], 16)
                         for words in ([], ["--privileged"]))
    own = int(host.good("exec", "box", "sh", "-c", "grep CapBnd /proc/1/status").split()[1], 16)
    assert plain == own
    assert privileged & ~own and privileged & own == own and privileged >> 21 & 1, "no CAP_SYS_ADMIN"
    host.end()
