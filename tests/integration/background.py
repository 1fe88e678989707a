"""Containers in the background: what the tests about them share."""

import json
import os
import pathlib
import re
import time

import pytest

import images
from oci import alive, wait_until


class Host(images.Host):
    """A knarr with roots of its own, and the monitors of its containers."""

    def monitors(self):
        """The pids of knarr-monitor for containers of this state directory."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                words = pathlib.Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] == b"knarr-monitor" and str(self.root).encode() in words and alive(int(entry)):
                found.append(int(entry))
        return found

    launched = ()

    def launch(self, layout, *command, options=()):
        """run -d; the container's ID."""
        text = self.good("run", "-d", "-q", *options, layout, *command)
        assert re.fullmatch(r"[0-9a-f]{64}\n", text), text
        self.launched += (text.strip(),)
        return text.strip()

    def inspect(self, container):
        found = json.loads(self.good("inspect", container))
        assert len(found) == 1
        return found[0]

    def state(self, container):
        return self.inspect(container)["State"]

    def wait_ended(self, container):
        wait_until(lambda: self.state(container)["Status"] == "exited", f"{container} did not end", 60)

    def end(self):
        """Removes all containers; nothing may be left, monitors included."""
        known = set(self.launched)
        for container in self.containers():
            known.add(container["id"])
            self.run("rm", "--force", container["id"])
        try:
            wait_until(lambda: not self.monitors(), "monitors are left", 60)
        except AssertionError:
            for pid in self.monitors():
                os.kill(pid, 9)
            raise
        assert self.traces() == []
        left = [path for path in images.cgroups_of("") if os.path.basename(path).removeprefix("knarr-").removesuffix(".scope") in known]
        assert left == [], "cgroups are left"


def knows_exit_codes_of_strangers():
    """Whether the kernel tells the exit code to those who hold a pidfd."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)


# Fixtures, for the files that import them.

@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """An image that sleeps."""
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer()],
                               {"Cmd": ["sleep", "1000"]})


@pytest.fixture
def host(knarr_path, scratch):
    host = Host(knarr_path, scratch)
    yield host
    host.end()


@pytest.fixture(params=["created", "running"])
def box(request, host, layout, scratch):
    """The name of a container of the file's `layout`, with SCRATCH/vol at /vol."""
    (scratch / "vol").mkdir()
    host.good("create", "-q", "--name", "box", "-v", f"{scratch}/vol:/vol", layout, "sleep", "1000")
    if request.param == "running":
        host.good("start", "box")
    yield "box"
    host.good("rm", "-f", "box")


def put_together(directory):
    """What a container wrote, by stream, from its log files."""
    out = {"stdout": b"", "stderr": b""}
    files = sorted(pathlib.Path(directory).glob("*.log"), key=lambda path: int(path.stem))
    for path in files:
        for line in path.read_bytes().split(b"\n")[:-1]:
            moment, stream, tag, text = line.split(b" ", 3)
            assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", moment), line
            assert tag in (b"P", b"F"), line
            out[stream.decode()] += text + (b"\n" if tag == b"F" else b"")
    return out


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
