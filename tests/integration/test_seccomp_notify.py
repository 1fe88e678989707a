"""SCMP_ACT_NOTIFY: the filter's listener goes to the agent at listenerPath, who decides the calls."""

import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading

import pytest

# Source: linux/seccomp.h; _IOWR('!', n, size of the struct).
NOTIF_BYTES, RESPONSE_BYTES = 80, 24
NOTIF_RECV = 0xC0000000 | NOTIF_BYTES << 16 | 0x2100
NOTIF_SEND = 0xC0000000 | RESPONSE_BYTES << 16 | 0x2101
CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
MKDIR, MKDIRAT = 83, 258


class Agent:
    """Answers every notification: `refused` numbers with an errno, all others are let through."""

    def __init__(self, path, refused=(MKDIR, MKDIRAT), error=errno.ENOMEDIUM):
        self.path, self.refused, self.error = str(path), refused, error
        self.states, self.calls = [], []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.handle, args=(connection,), daemon=True).start()
        except OSError:
            pass  # closed by the test

    def handle(self, connection):
        fds = array.array("i")
        text, ancillary, *_ = connection.recvmsg(65536, socket.CMSG_SPACE(4))
        for level, kind, data in ancillary:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            fds.frombytes(data[:4])
        assert connection.recv(1) == b"", "agents read once"
        self.states.append(json.loads(text))
        self.answer(fds[0])

    def answer(self, fd):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while not any(event & select.POLLHUP for _, event in poll.poll()):
            buffer = bytearray(NOTIF_BYTES)
            try:
                fcntl.ioctl(fd, NOTIF_RECV, buffer)
            except OSError:
                continue  # the caller was killed meanwhile
            ident, _pid, _flags, number = struct.unpack_from("=QIIi", buffer)
            self.calls.append(number)
            response = struct.pack("=QqiI", ident, 0, -self.error, 0) if number in self.refused \
                else struct.pack("=QqiI", ident, 0, 0, CONTINUE)
            try:
                fcntl.ioctl(fd, NOTIF_SEND, response)
            except OSError:
                pass
        os.close(fd)

    def close(self):
        self.listener.close()


@pytest.fixture
def agent(scratch):
    agent = Agent(scratch / "agent")
    yield agent
    agent.close()


def notified(bundle, agent, names, **more):
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": agent.path if agent else "/no/such/agent",
        "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}], **more}
    bundle.save()


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_agent_decides_the_calls_of_run(host, agent, no_new_privileges):
    bundle = host.bundle("mkdir", "/tmp/x", "stat", "/tmp")
    bundle.config["process"]["noNewPrivileges"] = no_new_privileges
    bundle.config["annotations"] = {"org.example": "value"}
    notified(bundle, agent, ["mkdir", "mkdirat"], listenerMetadata="some metadata")
    container = host.new_id()
    done = host.ok("run", "-b", bundle.directory, container)
    assert "mkdir:/tmp/x=ENOMEDIUM" in done.stdout
    [state] = agent.states
    assert state["fds"] == ["seccompFd"] and state["metadata"] == "some metadata"
    assert state["pid"] == state["state"]["pid"] > 1
    assert state["state"]["id"] == container
    assert state["state"]["annotations"] == {"org.example": "value"}
    assert state["ociVersion"] == state["state"]["ociVersion"] == "1.2.0"


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_calls_of_the_runtime_itself_may_be_asked_about(host, agent, no_new_privileges):
    """Everything between the load and the program, the last execve too: the agent has the listener."""
    bundle = host.bundle("exit", "7")
    bundle.config["process"]["noNewPrivileges"] = no_new_privileges
    notified(bundle, agent, ["execve", "execveat", "close", "fcntl", "capset", "prctl", "sendmsg",
                             "sched_yield", "futex", "exit_group", "read", "openat"])
    assert host.knarr("run", "-b", bundle.directory, host.new_id()).returncode == 7
    assert 59 in agent.calls  # execve


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_agent_decides_the_calls_of_start_hooks(host, agent, no_new_privileges):
    bundle, log = host.bundle("mkdir", "/tmp/x"), host.directory / "log"
    bundle.config["process"]["noNewPrivileges"] = no_new_privileges
    bundle.config["annotations"] = {"run.oci.hooks.stdout": str(log)}
    bundle.hook("startContainer", "/witness", "mkdir", "/tmp/y")
    notified(bundle, agent, ["mkdir", "mkdirat"])
    done = host.ok("run", "-b", bundle.directory, host.new_id())
    assert "mkdir:/tmp/y=ENOMEDIUM" in log.read_text()
    assert "mkdir:/tmp/x=ENOMEDIUM" in done.stdout
    assert len(agent.states) == 2  # the hook's process, and the program's


def test_create_start_and_exec_have_their_own_listeners(host, agent):
    bundle = host.bundle("mkdir", "/tmp/x", "wait-signal")
    notified(bundle, agent, ["mkdir", "mkdirat"])
    container = host.new_id()
    host.ok("create", "-b", bundle.directory, container)
    assert agent.states == []  # nothing is loaded before start
    host.ok("start", container)
    assert len(agent.states) == 1
    done = host.ok("exec", container, "/witness", "mkdir", "/tmp/y")
    assert "mkdir:/tmp/y=ENOMEDIUM" in done.stdout
    first, second = agent.states
    assert first["state"]["status"] == "created" and second["state"]["status"] == "running"
    assert second["pid"] != first["pid"] == second["state"]["pid"]
    host.ok("kill", container, "KILL")


def test_without_the_agent_nothing_runs_and_nothing_is_left(host):
    bundle = host.bundle("out", "ran")
    notified(bundle, None, ["mkdir"])
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "linux.seccomp.listenerPath" in message and "/no/such/agent" in message
    host.assert_clean()
    container = host.new_id()
    host.ok("create", "-b", bundle.directory, container)
    assert "linux.seccomp.listenerPath" in host.refused("start", container)
    host.ok("delete", "--force", container)


def test_when_the_agent_ends_its_calls_fail(host, scratch):
    path = scratch / "short"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def take_and_leave():
        connection, _ = listener.accept()
        fds = array.array("i")
        _, ancillary, *_ = connection.recvmsg(65536, socket.CMSG_SPACE(4))
        fds.frombytes(ancillary[0][2][:4])
        os.close(fds[0])
        connection.close()

    thread = threading.Thread(target=take_and_leave)
    thread.start()
    bundle = host.bundle("mkdir", "/tmp/x")
    notified(bundle, type("Path", (), {"path": str(path)}), ["mkdir", "mkdirat"])
    done = host.ok("run", "-b", bundle.directory, host.new_id())
    thread.join()
    listener.close()
    assert "mkdir:/tmp/x=ENOSYS" in done.stdout


def test_the_listener_needs_room_for_one_more_process(host, agent):
    bundle = host.bundle("exit", "0")
    notified(bundle, agent, ["mkdir"])
    bundle.config["linux"]["resources"] = {"pids": {"limit": 1}}
    bundle.save()
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "linux.resources.pids.limit" in message


@pytest.mark.parametrize("change, words", [
    ({"defaultAction": "SCMP_ACT_NOTIFY"}, ["linux.seccomp.defaultAction"]),
    ({"listenerPath": ""}, ["listenerPath"]),
    ({"listenerPath": "", "listenerMetadata": "x"}, ["listenerMetadata"]),
    ({"syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]}, ["write"]),
])
def test_what_cannot_work_is_refused(host, agent, change, words):
    bundle = host.bundle("exit", "0")
    notified(bundle, agent, ["mkdir"], **change)
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert all(word in message for word in words), message


def test_without_notify_the_listener_path_is_ignored(host):
    bundle = host.bundle("exit", "3")
    notified(bundle, None, ["mkdir"])
    bundle.config["linux"]["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_ERRNO"
    bundle.config["linux"]["seccomp"]["flags"] = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    bundle.save()
    assert host.knarr("run", "-b", bundle.directory, host.new_id()).returncode == 3


@pytest.mark.parametrize("flag", ["TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"])
def test_every_flag_goes_with_a_listener(host, agent, flag):
    bundle = host.bundle("mkdir", "/tmp/x")
    notified(bundle, agent, ["mkdir", "mkdirat"], flags=[f"SECCOMP_FILTER_FLAG_{flag}"])
    assert "ENOMEDIUM" in host.ok("run", "-b", bundle.directory, host.new_id()).stdout
