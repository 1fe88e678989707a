"""Descriptors for the program: --preserve-fds, systemd's socket activation, pid files and pidfds."""

import fcntl
import os
import select
import signal
import socket
import subprocess

import pytest
from oci import alive, wait_until
from test_console_socket import Receiver


@pytest.fixture
def receiver(scratch):
    receiver = Receiver(str(scratch / "pidfd"))
    yield receiver
    receiver.close()


def run_with(host, fds, *words, environment=None, own_pid=False):
    """Runs knarr with `fds` as 3 and up; with `own_pid` LISTEN_PID is its pid, as systemd sets it."""
    setup = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(fds))
    pid = "LISTEN_PID=$$; export LISTEN_PID; " if own_pid else ""
    script = f'{"exec " + setup + ";" if fds else ""} {pid} exec "$@"'
    return subprocess.run(["bash", "-c", script, "sh", *host.command(*words)], pass_fds=fds,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          env={**host.environment(), **(environment or {})})


def values(done):
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@pytest.fixture
def sockets(scratch):
    """Two that listen, with high numbers so that the shell can move them."""
    opened, fds = [], []
    for number in range(2):
        one = socket.socket(socket.AF_UNIX)
        one.bind(str(scratch / f"listen{number}"))
        one.listen()
        opened.append(one)
        fds.append(fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 30))
    yield fds
    for fd in fds:
        os.close(fd)
    for one in opened:
        one.close()


@pytest.mark.parametrize("namespace", ["own", "host"])
def test_listening_sockets_arrive_for_the_programs_own_pid(host, sockets, namespace):
    bundle = host.bundle("listen-fds", "fds", "process")
    bundle.config["process"]["env"] += ["LISTEN_FDS=7", "LISTEN_PID=99", "LISTEN_FDNAMES=old"]
    if namespace == "host":
        bundle.share("pid")
        bundle.config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": "/proc",
                                      "options": ["rbind"]}
    bundle.save()
    seen = values(run_with(host, sockets, "run", "-b", bundle.directory, host.new_id(), own_pid=True,
                           environment={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}))
    assert (seen["listen_fds"], seen["listen_names"]) == ("2", "web:admin")
    assert (seen["listens.3"], seen["listens.4"]) == ("1", "1")
    assert sorted(key for key in seen if key.startswith("fd.")) == [f"fd.{n}" for n in range(5)]
    assert (seen["pid"] == "1") == (namespace == "own")


def test_they_are_there_from_create_to_start(host, sockets, scratch):
    bundle = host.bundle("listen-fds")
    out = scratch / "out"
    container = host.new_id()
    with out.open("wb") as stdout:
        subprocess.run(["bash", "-c", f'exec 3<&{sockets[0]}; LISTEN_PID=$$ exec "$@"', "sh",
                        *host.command("create", "-b", bundle.directory, container)],
                       pass_fds=sockets, stdin=subprocess.DEVNULL, stdout=stdout, check=True,
                       env={**host.environment(), "LISTEN_FDS": "1"}, timeout=30)
    host.ok("start", container)
    wait_until(lambda: "listens.3=1" in out.read_text(), "no socket")
    assert "listen_fds=1" in out.read_text()


def test_preserved_descriptors_come_after_the_listening_ones(host, sockets):
    bundle = host.bundle("listen-fds", "fds")
    read, write = os.pipe()
    done = run_with(host, [sockets[0], read, write], "run", "--preserve-fds", "2", "-b",
                    bundle.directory, host.new_id(), own_pid=True, environment={"LISTEN_FDS": "1"})
    os.close(read)
    os.close(write)
    seen = values(done)
    assert (seen["listen_fds"], seen["listens.3"]) == ("1", "1")
    assert seen["fd.4"].startswith("pipe:") and seen["fd.5"].startswith("pipe:")
    assert "fd.6" not in seen


def test_sockets_of_another_process_are_not_ours(host, sockets):
    bundle = host.bundle("listen-fds", "fds", "env")
    seen = values(run_with(host, sockets, "run", "-b", bundle.directory, host.new_id(),
                           environment={"LISTEN_FDS": "2", "LISTEN_PID": "1"}))
    assert seen["listen_fds"] == "0" and "fd.3" not in seen and "env:LISTEN_FDS" not in seen


def test_without_listen_pid_they_are_ours_as_with_crun(host, sockets):
    bundle = host.bundle("listen-fds")
    seen = values(run_with(host, sockets, "run", "-b", bundle.directory, host.new_id(),
                           environment={"LISTEN_FDS": "1"}))
    assert seen["listen_fds"] == "1"


def test_a_count_that_is_too_large_warns_and_opens_no_door(host, sockets):
    bundle = host.bundle("listen-fds", "fds")
    done = run_with(host, sockets[:1], "run", "-b", bundle.directory, host.new_id(),
                    environment={"LISTEN_FDS": "9"})
    seen = values(done)
    assert "LISTEN_FDS announces 9 descriptors, but 4 is not open" in done.stderr
    assert sorted(key for key in seen if key.startswith("fd.")) == [f"fd.{n}" for n in range(4)]


@pytest.mark.parametrize("count", ["x", "-1", "1025", "99999999999999999999"])
def test_a_malformed_count_is_refused(host, count):
    done = run_with(host, [], "run", "-b", host.bundle().directory, host.new_id(),
                    environment={"LISTEN_FDS": count})
    assert done.returncode != 0 and "LISTEN_FDS" in done.stderr
    host.assert_clean()


def test_exec_passes_no_sockets_on(host, sockets):
    container = host.new_id()
    host.ok("run", "-d", "-b", host.bundle("sleep", "1000").directory, container)
    seen = values(run_with(host, sockets, "exec", container, "/witness", "listen-fds", "fds",
                           own_pid=True, environment={"LISTEN_FDS": "2"}))
    assert seen["listen_fds"] == "0" and "fd.3" not in seen


@pytest.mark.parametrize("verb", ["create", "run"])
def test_preserve_fds_of_a_bundle(host, verb, scratch):
    bundle = host.bundle("fds")
    read, write = os.pipe()
    container = host.new_id()
    out = scratch / "out"
    words = host.command(verb, "--preserve-fds", "1", "-b", bundle.directory, container)
    with out.open("wb") as stdout:
        subprocess.run(["bash", "-c", f'exec 3<&{read} 4<&{write}; exec "$@"', "sh", *words],
                       pass_fds=[read, write], stdin=subprocess.DEVNULL, stdout=stdout, check=True,
                       env=host.environment(), timeout=30)
    os.close(read)
    os.close(write)
    if verb == "create":
        host.ok("start", container)
    wait_until(lambda: "tty=" in out.read_text(), "nothing is reported")
    fds = [line.split("=")[0] for line in out.read_text().splitlines() if line.startswith("fd.")]
    assert fds == ["fd.0", "fd.1", "fd.2", "fd.3"]


@pytest.mark.parametrize("verb", ["create", "run -d", "exec -d"])
def test_a_pid_file_is_relative_to_the_callers_directory(host, verb, scratch):
    container = host.new_id()
    bundle = host.bundle("sleep", "1000")
    if verb == "exec -d":
        host.ok("run", "-d", "-b", bundle.directory, container)
        host.ok(*verb.split(), "--pid-file", "the.pid", container, "/witness", "sleep", "1000",
                cwd=scratch)
    else:
        host.ok(*verb.split(), "--pid-file", "the.pid", "-b", bundle.directory, container, cwd=scratch)
    pid = int((scratch / "the.pid").read_text())
    assert alive(pid)
    assert (pid == host.state(container)["pid"]) == (verb != "exec -d")


def ends(pidfd):
    return bool(select.select([pidfd], [], [], 20)[0])


@pytest.mark.parametrize("verb", ["create", "run", "exec"])
def test_a_pidfd_is_sent_and_is_the_process(host, receiver, verb):
    container = host.new_id()
    bundle = host.bundle("sleep", "1000")
    if verb == "exec":
        host.ok("run", "-d", "-b", bundle.directory, container)
        host.ok("exec", "-d", "--pidfd-socket", receiver.path, container, "/witness", "sleep", "1000")
    else:
        host.ok(*([verb] if verb == "create" else ["run", "-d"]), "--pidfd-socket", receiver.path,
                "-b", bundle.directory, container)
    receiver.take()
    signal.pidfd_send_signal(receiver.master, signal.SIGKILL)
    assert ends(receiver.master)
    wait_until(lambda: host.status(container) == ("running" if verb == "exec" else "stopped"),
               "another process was signalled")


def test_cruns_annotation_asks_for_the_pidfd_too(host, receiver):
    container = host.new_id()
    bundle = host.bundle("sleep", "1000")
    bundle.config["annotations"] = {"run.oci.pidfd_receiver": receiver.path}
    bundle.save()
    host.ok("create", "-b", bundle.directory, container)
    receiver.take()
    signal.pidfd_send_signal(receiver.master, signal.SIGKILL)
    assert ends(receiver.master)


@pytest.mark.parametrize("verb", ["create", "run"])
def test_a_pidfd_socket_where_nobody_listens_is_refused(host, verb, scratch):
    message = host.refused(verb, "--pidfd-socket", scratch / "nobody", "-b",
                           host.bundle().directory, host.new_id())
    assert "pidfd socket" in message and str(scratch / "nobody") in message
    host.assert_clean()
