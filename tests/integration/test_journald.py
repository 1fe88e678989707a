"""--log-driver journald: what a container writes is in the system's journal, here a socket of the test's own."""

import os
import signal
import socket
import struct

import pytest

import background
from background import layout  # fixture
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

IN_ITS_PLACE = ('mount -t tmpfs none /run && mkdir -p /run/systemd && ln -s "$1" /run/systemd/journal && '
                'shift && exec "$@"')


class Host(background.Host):
    """Its knarr sees nothing in /run but the journal of the test."""

    def command(self, *words):
        return ["unshare", "-m", "sh", "-c", IN_ITS_PLACE, "sh", str(self.scratch / "journal"), *super().command(*words)]


class Journal:
    def __init__(self, directory):
        directory.mkdir(exist_ok=True)
        self.path = directory / "socket"
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.entries = []

    def read(self):
        """All entries so far, as dictionaries of bytes."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 4)
            except BlockingIOError:
                return self.entries
            assert not fds
            self.entries.append(parse(data))

    def text(self, stream=b"6"):
        return b"".join(one["MESSAGE"] + (b"" if "CONTAINER_PARTIAL_MESSAGE" in one else b"\n")
                        for one in self.read() if one["PRIORITY"] == stream)


def parse(data):
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length, = struct.unpack("<Q", rest[:8])
            value, rest = rest[8:8 + length], rest[8 + length:]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        fields[name.decode()] = value
        data = rest
    return fields


@pytest.fixture
def host(knarr_path, scratch):
    host = Host(knarr_path, scratch)
    yield host
    host.end()


def test_each_line_comes_with_dockers_fields(host, layout, scratch):
    journal = Journal(scratch / "journal")
    script = "echo one; echo oh >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; printf end"
    container = host.launch(layout, "sh", "-c", script, options=["--log-driver", "journald", "--name", "web"])
    host.wait_ended(container)
    assert journal.text() == b"one\n" + b"x" * 40000 + b"\nend"
    assert journal.text(b"3") == b"oh\n"
    first = journal.entries[0]
    assert first["CONTAINER_ID_FULL"] == container.encode() and first["CONTAINER_ID"] == container[:12].encode()
    assert first["CONTAINER_NAME"] == b"web" and first["IMAGE_NAME"] == b"localhost/box:latest"
    assert host.inspect(container)["HostConfig"]["LogConfig"]["Type"] == "journald"
    assert host.good("logs", "web").startswith("one\n")


def test_a_journal_that_does_not_read_holds_nothing_up_and_gets_the_rest_later(host, layout, scratch):
    journal = Journal(scratch / "journal")
    script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"
    container = host.launch(layout, "sh", "-c", script, options=["--log-driver", "journald"])
    assert host.good("wait", container) == "0\n"
    lines = "".join(f"line {i}\n" for i in range(3000))
    assert host.good("logs", container) == lines
    assert len(journal.read()) < 3000
    # Whoever watches it next goes on there.
    host.good("start", container)
    wait_until(lambda: journal.text() == (lines * 2).encode(), "the rest does not come", 60)


@pytest.mark.parametrize("which", ["journal", "monitors"])
def test_what_is_killed_loses_nothing(host, layout, scratch, which):
    journal = Journal(scratch / "journal")
    script = "echo first; while [ ! -e /go ]; do sleep 0.05; done; echo last; sleep 1000"
    container = host.launch(layout, "sh", "-c", script, options=["--log-driver", "journald"])
    wait_until(lambda: journal.text() == b"first\n", "the first line does not come", 60)
    if which == "journal":
        journal.socket.close()
    else:
        wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors", 60)
        for pid in host.monitors():
            os.kill(pid, signal.SIGKILL)
        host.good("ps")
    host.good("exec", container, "touch", "/go")
    if which == "journal":
        wait_until(lambda: host.good("logs", container) == "first\nlast\n", "the log does not go on", 60)
        journal = Journal(scratch / "journal")
        wait_until(lambda: journal.text() == b"last\n", "the new journal gets nothing", 60)
    else:
        # What was sent last, and not yet noted, may come twice.
        wait_until(lambda: journal.text() in (b"first\nlast\n", b"first\nfirst\nlast\n"), "the log does not go on", 60)


def test_without_a_journal_it_is_an_error_and_leaves_nothing(host, layout):
    refused = host.run("run", "-d", "-q", "--log-driver", "journald", layout)
    assert refused.returncode == 125 and "the system's journal" in refused.stderr and "k8s-file" in refused.stderr
    assert host.containers() == []
