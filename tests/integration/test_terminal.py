"""process.terminal and -t in the foreground: knarr is the other side of the program's terminal."""

import os
import signal
import subprocess
import termios
import threading
import time

import background
import images
import pytest
from oci import Host, wait_until
from terminals import Screen, set_size, with_terminal


@pytest.fixture
def screen():
    screen = Screen()
    yield screen
    screen.close()


class Foreground:
    """The two verbs that run a program in front of the caller, with the same words."""

    def __init__(self, host, verb):
        self.host, self.verb, self.number = host, verb, 0
        if verb == "exec":
            self.bundle = with_terminal(host.bundle("sleep", "100000"))
            self.bundle.config["process"]["terminal"] = False
            self.bundle.save()
            self.id = host.new_id()
            host.ok("run", "--detach", "-b", self.bundle.directory, self.id)
            wait_until(host.processes, "the container does not run")

    def command(self, *words, change=None):
        if self.verb == "exec":
            return self.host.command("exec", "-t", self.id, "/witness", *words)
        bundle = with_terminal(self.host.bundle(*words))
        if change:
            change(bundle.config)
            bundle.save()
        return self.host.command("run", "-b", bundle.directory, self.host.new_id())

    def show(self, screen, *words, change=None, **streams):
        return screen.start(self.command(*words, change=change), self.host.environment(), **streams)

    def run(self, *words, **options):
        return subprocess.run(self.command(*words), env=self.host.environment(), timeout=60,
                              stderr=subprocess.PIPE, **options)


@pytest.fixture(params=["run", "exec"])
def front(request, host):
    return Foreground(host, request.param)


def test_the_program_has_a_terminal_of_its_own_with_our_size(front, screen):
    front.show(screen, "terminal", "fds")
    assert screen.wait() == 0, screen.seen
    seen = screen.values()
    assert (seen["rows"], seen["columns"]) == ("40", "100")
    assert (seen["onlcr"], seen["leader"], seen["foreground"], seen["same"]) == ("0", "1", "1", "1")
    assert seen["fd.0"].startswith("/dev/pts/") and seen["tty"] == "1"
    assert sorted(key for key in seen if key.startswith("fd.")) == ["fd.0", "fd.1", "fd.2"]


def test_dev_console_is_the_first_programs_terminal(host, screen):
    Foreground(host, "run").show(screen, "terminal")
    assert screen.wait() == 0, screen.seen
    assert screen.values()["console"] == "1"


def test_the_terminal_belongs_to_the_programs_user(host, screen):
    def change(config):
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
    Foreground(host, "run").show(screen, "terminal", change=change)
    assert screen.wait() == 0, screen.seen
    assert screen.values()["owner"] == "1000"


def test_a_new_size_arrives_as_sigwinch_of_the_programs_terminal(front, screen):
    front.show(screen, "wait-signal", "terminal")
    screen.expect(b"ready=1")
    set_size(screen.slave, 11, 22)  # the kernel tells the foreground, which is knarr
    assert screen.wait() == 0
    seen = screen.values()
    assert seen["signal"] == str(int(signal.SIGWINCH))
    assert (seen["rows"], seen["columns"]) == ("11", "22")


def test_a_terminal_that_does_not_know_its_size_leaves_the_configurations(host):
    def change(config):
        config["process"]["consoleSize"] = {"height": 25, "width": 80}
    screen = Screen(0, 0)
    try:
        Foreground(host, "run").show(screen, "terminal", change=change)
        assert screen.wait() == 0
        seen = screen.values()
        assert (seen["rows"], seen["columns"]) == ("25", "80")
    finally:
        screen.close()


def test_ctrl_c_is_a_byte_for_the_program_not_a_signal_for_us(front, screen):
    front.show(screen, "wait-signal")
    screen.expect(b"ready=1")
    wait_until(screen.is_raw, "the terminal is not raw")
    screen.type(b"\x03")
    assert screen.wait() == 0  # a SIGINT for knarr would have been passed on too, but not echoed
    assert b"^Csignal=2\r\n" in screen.seen


def test_what_is_typed_arrives_and_comes_back_once(front, screen):
    front.show(screen, "out", "ready", "stdin")
    screen.expect(b"ready\r\n")
    wait_until(screen.is_raw, "the terminal is not raw")
    screen.type(b"hello\n\x04")
    assert screen.wait() == 0
    # Once as the container's echo, once as the program's copy; lines end as this terminal needs.
    assert screen.seen.count(b"hello\r\n") == 2, screen.seen


def test_the_mode_is_restored_after_the_end(front, screen):
    front.show(screen, "out", "ready", "wait-signal", "exit", "3")
    screen.expect(b"ready=1")
    assert screen.is_raw()
    screen.type(b"\x03")
    assert screen.wait() == 3
    assert screen.is_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_the_program_and_the_mode_is_restored(front, screen, number):
    process = front.show(screen, "wait-signal")
    screen.expect(b"ready=1")
    process.send_signal(number)
    assert screen.wait() == 0
    assert screen.values()["signal"] == str(int(number))
    assert screen.is_restored()


def test_after_a_sigkill_of_the_client_the_terminal_is_sane_and_the_guard_gone(front, screen):
    process = front.show(screen, "wait-signal")
    screen.expect(b"ready=1")
    assert screen.is_raw()
    process.kill()
    process.wait()
    wait_until(screen.is_restored, "the terminal stays raw")


def test_a_program_that_cannot_run_leaves_a_terminal_as_it_was(host, screen):
    bundle = with_terminal(host.bundle())
    bundle.config["process"]["args"] = ["/nowhere"]
    bundle.save()
    screen.start(host.command("run", "-b", bundle.directory, host.new_id()), host.environment())
    assert screen.wait() == 127
    assert screen.is_restored()
    assert b"/nowhere" in screen.seen


def test_raw_again_after_a_stop(front, screen):
    process = front.show(screen, "out", "ready", "stdin")
    screen.expect(b"ready")
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    termios.tcsetattr(screen.slave, termios.TCSANOW, screen.mode)  # as a shell does
    process.send_signal(signal.SIGCONT)
    wait_until(screen.is_raw, "the terminal stays cooked")
    screen.type(b"\x04")
    assert screen.wait() == 0
    assert screen.is_restored()


@pytest.mark.parametrize("size", [0, 1, 4096, 1 << 20])
def test_no_byte_of_the_output_is_lost(front, size):
    done = front.run("bytes", str(size), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == bytes(ord("a") + i % 26 for i in range(size))


def test_no_byte_is_lost_with_a_reader_that_comes_late(front):
    # The program has ended long before: what it wrote waits in the pipe, in us and in the terminal.
    run = subprocess.Popen(front.command("bytes", "90000"), env=front.host.environment(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(0.5)
    assert len(run.communicate(timeout=30)[0]) == 90000
    assert run.returncode == 0


def test_the_output_of_ten_short_programs_is_always_whole(host):
    front = Foreground(host, "exec")
    for _ in range(10):
        done = front.run("out", "one line", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert done.stdout == b"one line\n"


def test_the_end_of_a_pipe_is_the_end_of_input(front):
    lines = b"".join(b"%05d\n" % number for number in range(10000))
    done = front.run("stdin", input=lines + b"rest", stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    # The terminal echoes what comes in, the program copies it. Of the echo the kernel drops what its
    # 4 KiB for that do not hold when the machine is busy; the program's copy is whole, in its order.
    assert 1.9 * len(lines) < len(done.stdout) <= 2 * len(lines + b"rest")
    seen = iter(done.stdout)
    assert all(byte in seen for byte in lines + b"rest")


def test_with_stdin_from_nowhere_the_program_sees_the_end(front):
    done = front.run("stdin", "out", "after", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert done.returncode == 0 and done.stdout == b"after\n"


def test_a_closed_stdin_is_no_input(host):
    front = Foreground(host, "run")
    command = front.command("out", "here")
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True,
                          env=host.environment(), timeout=30)
    assert (done.returncode, done.stdout) == (0, b"here\n"), done.stderr


def test_a_reader_that_leaves_hangs_the_terminal_up(front):
    run = subprocess.Popen(front.command("bytes", "100000000"), env=front.host.environment(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
    assert run.stdout.read(1) == b"a"
    run.stdout.close()
    assert run.wait(30) != 0  # the write failed with EIO, or SIGHUP ended it


def test_a_caller_whose_terminal_goes_away_takes_the_programs_along(front, screen):
    process = front.show(screen, "wait-signal", "exit", "7")
    screen.expect(b"ready=1")
    for fd in (screen.slave, screen.master):
        os.close(fd)
    screen.master = screen.slave = -1
    assert process.wait(20) == 7  # SIGHUP was waited for: its report went nowhere


def test_one_who_keeps_the_terminal_open_is_not_waited_for(host, screen):
    front = Foreground(host, "exec")
    front.show(screen, "leave", "1000", "out", "done")
    assert screen.wait(20) == 0
    assert b"done" in screen.seen
    assert screen.is_restored()


def test_a_stopped_terminal_does_not_make_us_deaf(front, screen):
    process = front.show(screen, "ignore", "1", "bytes", "300000", "wait-signal")
    wait_until(screen.is_raw, "the terminal is not raw")
    # Nobody reads the screen: it fills up. Signals arrive all the same.
    assert process.poll() is None
    reader = threading.Thread(target=lambda: screen.expect(b"ready=1"))
    process.send_signal(signal.SIGURG)
    reader.start()
    reader.join(30)
    process.send_signal(signal.SIGUSR2)
    assert screen.wait() == 0
    assert screen.seen.count(b"abcdefghijklmnopqrstuvwxyz") == 300000 // 26


def test_detached_a_terminal_needs_a_console_socket(host):
    bundle = with_terminal(host.bundle())
    for words in (["create"], ["run", "--detach"]):
        message = host.refused(*words, "-b", bundle.directory, host.new_id())
        assert "cannot allocate tty if knarr will detach without setting console socket" in message
        assert "--console-socket" in message
    host.assert_clean()


def test_without_a_devpts_the_error_names_it(host, screen):
    bundle = host.bundle()
    bundle.config["process"]["terminal"] = True
    bundle.save()
    screen.start(host.command("run", "-b", bundle.directory, host.new_id()), host.environment())
    assert screen.wait() not in (0, None)
    assert b"pts" in screen.seen and screen.is_restored()
    host.assert_clean()


def test_a_client_that_is_killed_before_the_gate_leaves_nothing(breakable_knarr, witness_path,
                                                                scratch, needs_root, screen):
    host = Host(breakable_knarr, witness_path, scratch)
    bundle = with_terminal(host.bundle("sleep", "1000"))
    screen.start(host.command("run", "-b", bundle.directory, host.new_id()),
                 host.environment(fault="launch.recorded=kill"))
    assert screen.wait() == -signal.SIGKILL
    wait_until(lambda: not host.processes(), "a process is left")
    host.destroy()


@pytest.mark.parametrize("words", [["-it"], ["-i", "-t"], ["-t"], ["--tty"]])
def test_an_image_in_a_terminal(knarr_path, scratch, tmp_path, screen, needs_root, words):
    host = images.Host(knarr_path, scratch)
    layout = images.write_layout(tmp_path / "box", [images.base_layer()], {})
    screen.start(host.command("run", "--rm", "-q", *words, layout, "sh", "-c",
                              "test -t 0 && test -t 1 && echo $TERM; read line; echo got $line"),
                 dict(os.environ))
    screen.expect(b"xterm\r\n")
    screen.type(b"words\n")
    assert screen.wait() == 0
    assert b"got words\r\n" in screen.seen
    assert screen.is_restored()
    assert host.traces() == []


def test_a_terminal_of_exec_follows_a_resize(knarr_path, scratch, tmp_path, screen, needs_root):
    host = background.Host(knarr_path, scratch)
    layer = images.Layer().symlink("bin/stty", "busybox").bytes()
    host.launch(images.write_layout(tmp_path / "box", [images.base_layer(), layer], {"Cmd": ["sleep", "1000"]}), options=["--name", "box"])
    screen.start(host.command("exec", "-it", "box", "sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.01; done"),
                 dict(os.environ))
    screen.expect(b"40 100\r\n")
    begin = time.monotonic()
    set_size(screen.slave, 31, 77)
    screen.process.send_signal(signal.SIGWINCH)
    screen.expect(b"31 77\r\n")
    assert time.monotonic() - begin < 2  # 100 ms where nobody else wants the machine
    host.end()


def test_a_program_in_an_images_container_gets_a_terminal_too(knarr_path, scratch, tmp_path, screen,
                                                              needs_root):
    host = images.Host(knarr_path, scratch)
    layout = images.write_layout(tmp_path / "box", [images.base_layer()], {})
    run = subprocess.Popen(host.command("run", "--rm", "-q", "--name", "box", layout, "sh", "-c",
                                        "echo up; exec sleep 1000"), stdout=subprocess.PIPE)
    try:
        assert run.stdout.readline() == b"up\n"
        screen.start(host.command("exec", "-it", "box", "sh", "-c", "test -t 1 && echo yes"),
                     dict(os.environ))
        assert screen.wait() == 0
        assert b"yes\r\n" in screen.seen
    finally:
        host.run("delete", "--force", "box")
        run.wait(20)
