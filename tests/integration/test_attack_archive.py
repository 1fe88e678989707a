"""Archives from outside, of `load` and `import`: who decompresses them, and what that one can reach."""

import gzip
import os
import pathlib
import subprocess
import time

import images
import pytest

pytestmark = pytest.mark.usefixtures("needs_root")

PATIENCE_SECONDS = 120
MEMBERS = 96  # of 64 MiB each: more than anybody decompresses before he is looked at


@pytest.fixture
def bomb(scratch):
    """The path of a gzip file that takes many seconds."""
    member = gzip.compress(bytes(64 * 1024 * 1024), 1)
    path = scratch / "archive.tar.gz"
    path.write_bytes(member * MEMBERS)
    return path


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


def ticks(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11])


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def the_one_that_works(knarr):
    """The process among knarr and its children that the time goes to."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and knarr.poll() is None:
        try:
            for pid in [knarr.pid, *children(knarr.pid)]:
                if ticks(pid) >= 0.2 * os.sysconf("SC_CLK_TCK"):
                    return pid
        except FileNotFoundError:
            pass  # a child that has just ended
        time.sleep(0.01)
    pytest.fail(f"nobody decompressed: {knarr.stderr.read() if knarr.poll() is not None else ''}")


@pytest.mark.parametrize("words", [["load", "-q", "-i"], ["import", "-q"]])
def test_an_archive_is_decompressed_by_a_process_that_has_nothing_else(knarr_path, scratch, bomb, words):
    host = images.Host(knarr_path, scratch)
    with subprocess.Popen(host.command(*words, str(bomb)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as knarr:
        try:
            worker = the_one_that_works(knarr)
            assert worker != knarr.pid, "knarr itself decompresses"
            seen = status(worker)
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(seen[kind], 16) == 0, kind
            assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2"
            for space in ("mnt", "pid", "net", "ipc", "uts"):
                assert os.stat(f"/proc/{worker}/ns/{space}").st_ino != os.stat(f"/proc/self/ns/{space}").st_ino, space
            # Its root is an empty directory that nobody can write to.
            assert os.listdir(f"/proc/{worker}/root") == []
            with pytest.raises(OSError, match="Read-only"):
                pathlib.Path(f"/proc/{worker}/root/x").touch()
            opened = [os.readlink(f"/proc/{worker}/fd/{fd}") for fd in os.listdir(f"/proc/{worker}/fd")]
            files = [path for path in opened if path.startswith("/") and path != "/dev/null"]
            strange = [path for path in files if path not in (str(bomb), "/") and "/ingest/" not in path]
            assert str(bomb) in files and strange == []
            limits = pathlib.Path(f"/proc/{worker}/limits").read_text()
            memory = next(line for line in limits.splitlines() if line.startswith("Max address space"))
            assert memory.split()[3] != "unlimited"
        finally:
            knarr.kill()
    # It goes with the one that started it.
    end = time.monotonic() + PATIENCE_SECONDS
    while pathlib.Path(f"/proc/{worker}").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
