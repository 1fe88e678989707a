"""--console-socket: whoever listens there gets the terminal. Tools such as conmon live by it."""

import array
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios

import pytest
from oci import alive, wait_until
from terminals import get_size, set_size, with_terminal


class Receiver:
    """Listens as conmon does and takes one descriptor."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        with tempfile.TemporaryDirectory() as short:  # the path may be longer than an address
            self.listener.bind(f"{short}/s")
            os.rename(f"{short}/s", path)
        self.listener.listen()
        self.listener.settimeout(20)
        self.master = -1

    def take(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(20)
            name, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(16))
        fds = array.array("i")
        for _, kind, data in ancillary:
            assert kind == socket.SCM_RIGHTS
            fds.frombytes(data[:len(data) - len(data) % 4])
        assert len(fds) == 1
        self.master = fds[0]
        return name

    def text(self, until=None, seconds=20):
        """What the program writes, to its end or until it has written that."""
        seen = b""
        while until is None or until not in seen:
            if not select.select([self.master], [], [], seconds)[0]:
                raise AssertionError(f"nothing more after {seen}")
            try:
                seen += os.read(self.master, 65536)
            except OSError:  # EIO: the last one closed it
                break
        return seen.decode()

    def values(self):
        return dict(line.split("=", 1) for line in self.text().splitlines() if "=" in line)

    def close(self):
        self.listener.close()
        if self.master >= 0:
            os.close(self.master)


@pytest.fixture
def receiver(scratch):
    receiver = Receiver(str(scratch / "console"))
    yield receiver
    receiver.close()


def test_a_created_containers_terminal_is_there_before_it_starts(host, receiver):
    bundle = with_terminal(host.bundle("terminal"))
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    bundle.config["process"]["consoleSize"] = {"height": 33, "width": 77}
    bundle.save()
    container = host.new_id()
    host.ok("create", "--console-socket", receiver.path, "-b", bundle.directory, container)
    receiver.take()
    assert get_size(receiver.master) == (33, 77)
    assert not termios.tcgetattr(receiver.master)[1] & termios.ONLCR
    set_size(receiver.master, 12, 34)
    host.ok("start", container)
    seen = receiver.values()
    assert (seen["rows"], seen["columns"]) == ("12", "34")
    assert (seen["onlcr"], seen["owner"], seen["console"]) == ("0", "1000", "1")
    assert (seen["leader"], seen["foreground"], seen["same"]) == ("1", "1", "1")


@pytest.mark.parametrize("words", [["--detach"], []])
def test_run_sends_it_too(host, receiver, words):
    bundle = with_terminal(host.bundle("terminal", "exit", "5"))
    run = host.start_process("run", *words, "--console-socket", receiver.path, "-b",
                             bundle.directory, host.new_id(), stdout=subprocess.PIPE)
    receiver.take()
    assert receiver.values()["leader"] == "1"
    assert run.communicate(timeout=20)[0] == b""
    assert run.returncode == (0 if words else 5)


def test_a_resize_by_the_receiver_is_a_sigwinch_of_the_program(host, receiver):
    bundle = with_terminal(host.bundle("wait-signal", "terminal"))
    host.ok("run", "-d", "--console-socket", receiver.path, "-b", bundle.directory, host.new_id())
    receiver.take()
    receiver.text(until=b"ready=1")
    set_size(receiver.master, 9, 8)
    seen = receiver.values()
    assert (seen["signal"], seen["rows"], seen["columns"]) == (str(int(signal.SIGWINCH)), "9", "8")


@pytest.mark.parametrize("length", [107, 108, 150, 240, 1000])
def test_the_path_may_be_longer_than_an_address(host, scratch, length):
    directory = str(scratch)
    while len(directory) < length - 250:
        directory += "/" + "d" * 100
    os.makedirs(directory, exist_ok=True)
    path = directory + "/" + "s" * (length - len(directory) - 1)
    receiver = Receiver(path)
    try:
        bundle = with_terminal(host.bundle("out", "long"))
        host.ok("run", "-d", "--console-socket", path, "-b", bundle.directory, host.new_id())
        receiver.take()
        assert receiver.text() == "long\n"
    finally:
        receiver.close()


def test_a_socket_relative_to_the_callers_directory(host, receiver, scratch):
    bundle = with_terminal(host.bundle("out", "here"))
    host.ok("run", "-d", "--console-socket", "console", "-b", bundle.directory, host.new_id(),
            cwd=scratch)
    receiver.take()
    assert receiver.text() == "here\n"


@pytest.mark.parametrize("what", ["missing", "file", "nobody listens", "datagram"])
def test_a_wrong_socket_is_refused_by_its_path_and_nothing_is_left(host, scratch, what):
    path = scratch / "console"
    kept = None
    if what == "file":
        path.write_text("")
    elif what != "missing":
        kept = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if what == "datagram" else
                             socket.SOCK_STREAM)
        kept.bind(str(path))
    bundle = with_terminal(host.bundle())
    for verb in ("create", "run"):
        message = host.refused(verb, "--console-socket", path, "-b", bundle.directory, host.new_id())
        assert str(path) in message
    host.assert_clean()
    if kept:
        kept.close()


class Conmon:
    """What conmon does for `podman exec -d` and `podman exec -t`: a process file, a pid file, a
    console socket, and its own descriptors as stdio."""

    def __init__(self, host, receiver, **process):
        self.host, self.receiver = host, receiver
        self.process_file = host.directory / "process.json"
        self.pid_file = host.directory / "exec.pid"
        self.process_file.write_text(json.dumps(
            {"args": ["/witness"], "cwd": "/", "env": [], "user": {"uid": 0, "gid": 0}, **process}))

    def exec(self, container, **streams):
        done = self.host.ok("exec", "--pid-file", self.pid_file, "--process", self.process_file,
                            *(["--console-socket", self.receiver.path] if self.receiver else []),
                            "--detach", container, **streams)
        return int(self.pid_file.read_text()), done


@pytest.fixture
def box(host):
    bundle = with_terminal(host.bundle("sleep", "100000"))
    bundle.config["process"]["terminal"] = False
    bundle.save()
    container = host.new_id()
    host.ok("run", "-d", "-b", bundle.directory, container)
    return container


def test_a_detached_exec_in_a_terminal_as_conmon_asks_for_it(host, box, receiver):
    conmon = Conmon(host, receiver, terminal=True, consoleSize={"height": 5, "width": 6},
                    args=["/witness", "terminal", "wait-signal"],
                    user={"uid": 7, "gid": 8})
    pid, done = conmon.exec(box)
    assert done.stdout == ""
    receiver.take()
    text = receiver.text(until=b"ready=1")
    seen = dict(line.split("=", 1) for line in text.splitlines())
    assert (seen["rows"], seen["columns"], seen["owner"]) == ("5", "6", "7")
    assert (seen["leader"], seen["foreground"]) == ("1", "1")
    assert alive(pid)
    os.write(receiver.master, b"\x03")
    assert "signal=2" in receiver.text()
    wait_until(lambda: not alive(pid), "it does not end")


def test_each_exec_has_a_terminal_of_its_own(host, box, scratch):
    names = []
    for number in range(3):
        receiver = Receiver(str(scratch / f"console{number}"))
        host.ok("exec", "-t", "-d", "--console-socket", receiver.path, box, "/witness", "fds")
        receiver.take()
        names.append(receiver.values()["fd.0"])
        names.append(receiver)  # its terminal stays open
    assert len(set(names[::2])) == 3
    for receiver in names[1::2]:
        receiver.close()


def test_a_detached_exec_without_a_terminal_writes_where_we_say(host, box):
    conmon = Conmon(host, None, args=["/witness", "out", "to stdout", "err", "to stderr"])
    out, err = host.directory / "o", host.directory / "e"
    with out.open("wb") as o, err.open("wb") as e:
        subprocess.run(host.command("exec", "--process", conmon.process_file, "--detach", box),
                       stdin=subprocess.DEVNULL, stdout=o, stderr=e, check=True, timeout=30,
                       env=host.environment())
    wait_until(lambda: out.read_text() == "to stdout\n", "stdout is not passed on")
    wait_until(lambda: err.read_text() == "to stderr\n", "stderr is not passed on")


def test_a_detached_exec_reads_what_it_is_given(host, box):
    read, write = os.pipe()
    done = host.directory / "copy"
    with done.open("wb") as out:
        subprocess.run(host.command("exec", "--detach", box, "/witness", "stdin"), stdin=read,
                       stdout=out, check=True, timeout=30, env=host.environment())
    os.close(read)
    os.write(write, b"from afar")
    os.close(write)
    wait_until(lambda: done.read_bytes() == b"from afar", "stdin is not passed on")


def test_the_terminal_of_a_user_namespace_belongs_to_its_user(host, receiver):
    host.directory.chmod(0o711)
    bundle = with_terminal(host.bundle("terminal"))
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.config["linux"]["uidMappings"] = bundle.config["linux"]["gidMappings"] = maps
    bundle.config["process"]["user"] = {"uid": 5, "gid": 6}
    bundle.save()
    host.ok("run", "-d", "--console-socket", receiver.path, "-b", bundle.directory, host.new_id())
    receiver.take()
    seen = receiver.values()
    assert (seen["owner"], seen["foreground"]) == ("5", "1")
    packed = fcntl.ioctl(receiver.master, termios.TIOCGWINSZ, b"\0" * 8)
    assert struct.unpack("HHHH", packed)[:2] == (0, 0)  # nobody said a size
