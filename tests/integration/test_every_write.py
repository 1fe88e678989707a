"""A disk that breaks, fills or turns read-only at each write of a pull, load or import: the error names the
place and the way out, the store stays whole, nothing is left, and the next try works.

Which of a command's calls fails, in whatever of its processes, tests/pull/fail_write.c says. Each write of a
pull fails once with EIO here; with KNARR_EVERY_WRITE=1 it fails in all ways, and so does each of the other
verbs', of which every third is tried here."""

import errno
import hashlib
import json
import os
import pathlib
import subprocess

import pytest

import images
from conftest import ROOT

pytestmark = pytest.mark.usefixtures("needs_root")

ALL = bool(os.environ.get("KNARR_EVERY_WRITE"))
FOR_GOOD = 10 ** 6
# What happens at the Nth write: once, or from there on.
WAYS = {"breaks": (errno.EIO, False), "is full": (errno.ENOSPC, True), "is read-only": (errno.EROFS, True)}
ADVICE = {"breaks": "dmesg", "is full": "knarr image prune", "is read-only": "writable"}
# What only saves time when it is there: its failure is none.
SPARED = {"fsetxattr"}


@pytest.fixture(scope="module")
def fail_write():
    path = pathlib.Path(os.environ.get("KNARR_FAIL_WRITE", ROOT / "build/dev/bin/fail_write"))
    if not path.exists():
        pytest.fail(f"{path} is not built: cmake --build --preset dev --target fail_write")
    return path


@pytest.fixture
def mounted(scratch):
    """Makes file systems in memory, by options of their own."""
    made = []

    def mount(*options):
        place = scratch / f"disk{len(made)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["mode=700", *options]), "none", place], check=True)
        made.append(place)
        return place
    yield mount
    for place in made:
        subprocess.run(["umount", "-l", place], check=True)


def small_layers(bulk=0):
    layer = images.Layer().directory("etc").add("etc/text", b"x" * 5000).symlink("etc/link", "text")
    if bulk:
        layer.add("etc/bulk", os.urandom(bulk))
    return [layer.bytes(), images.Layer().directory("etc").add("etc/more", b"y").bytes()]


class Disk:
    """A store on a file system of its own."""

    def __init__(self, knarr, fail_write, place, scratch, driver):
        self.fail_write, self.place, self.report = fail_write, place, scratch / "report"
        self.host = images.Host(knarr, scratch)
        self.host.data = place / "data"
        self.before = ["--snapshot-driver", driver]

    def run(self, words, way="breaks", at=0):
        error, for_good = WAYS[way]
        words = self.host.command(*self.before, *words)
        done = subprocess.run([self.fail_write, self.place, str(error), str(at), str(FOR_GOOD if for_good else at),
                               self.report, *words], capture_output=True, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL)
        return done, self.report.read_text().splitlines()

    def left(self):
        data = self.host.data
        return [*data.glob("ingest/*"), *data.glob("layers/.tmp-*"), *data.glob("leases/*"), *data.glob("refs/.*")]

    def assert_whole(self, about):
        assert self.left() == [], about
        for blob in self.host.data.glob("blobs/sha256/*/*"):
            assert blob.name == hashlib.sha256(blob.read_bytes()).hexdigest(), about

    def clear(self):
        subprocess.run(["find", self.place, "-mindepth", "1", "-delete"], check=True)


def check(disk, words, way, at):
    """One failing write. Which call it was."""
    disk.clear()
    done, calls = disk.run(words, way, at)
    failed = next(call.split()[0] for call in calls if call.endswith("failed"))
    about = (way, at, failed, done.stderr)
    if failed in SPARED and done.returncode == 0:
        return failed
    assert done.returncode in (5, 6), about
    assert str(disk.host.data) in done.stderr and ADVICE[way] in done.stderr, about
    disk.assert_whole(about)
    assert not list(disk.host.data.glob("refs/*.json")) or failed == "fsync", about
    done = disk.host.run(*disk.before, *words)
    assert done.returncode == 0, (about, done.stderr)
    disk.assert_whole(about)
    assert list(disk.host.data.glob("refs/*.json")), about
    return failed


def check_all(disk, words, ways):
    disk.clear()
    done, calls = disk.run(words)
    assert done.returncode == 0 and len(calls) > 50, done.stderr
    seen = set()
    for at in range(1, len(calls) + 1):
        for way in WAYS if ALL else ways(at):
            seen.add(check(disk, words, way, at))
    assert {"openat", "mkdirat", "fsync", "renameat"} <= seen


@pytest.mark.parametrize("driver", ["erofs", "dir"])
def test_at_every_write_of_a_pull(knarr_path, fail_write, scratch, mounted, driver):
    disk = Disk(knarr_path, fail_write, mounted(), scratch, driver)
    words = ["pull", "-q", images.write_layout(scratch / "box", small_layers())]
    probe = disk.host.run(*disk.before, *words)
    if driver == "erofs" and probe.returncode == 5:
        pytest.skip("needs a kernel that mounts EROFS")
    check_all(disk, words, lambda at: WAYS if at % 9 == 0 else ["breaks"])


@pytest.mark.parametrize("verb", ["load", "import"])
def test_at_every_write_of_other_ways_in(knarr_path, fail_write, scratch, mounted, verb):
    disk = Disk(knarr_path, fail_write, mounted(), scratch, "dir")
    if verb == "load":
        disk.host.good("pull", "-q", images.write_layout(scratch / "box", small_layers()))
        disk.host.good("save", "-o", scratch / "file", "localhost/box")
        words = ["load", "-q", "-i", scratch / "file"]
    else:
        (scratch / "file").write_bytes(small_layers()[0])
        words = ["import", "-q", scratch / "file", "mine:1"]
    names = list(WAYS)
    check_all(disk, words, lambda at: [names[at // 3 % 3]] if at % 3 == 0 else [])


# --- the real thing ---

@pytest.mark.parametrize("driver", ["erofs", "dir"])
@pytest.mark.parametrize("small", ["size=700k", "size=8m,nr_inodes=28"])
def test_a_disk_that_is_really_full(knarr_path, fail_write, scratch, mounted, driver, small):
    disk = Disk(knarr_path, fail_write, mounted(small), scratch, driver)
    layout = images.write_layout(scratch / "box", small_layers(600_000))
    done = disk.host.run(*disk.before, "pull", "-q", layout)
    if driver == "erofs" and done.returncode == 5:
        pytest.skip("needs a kernel that mounts EROFS")
    assert done.returncode == 6 and "No space left on device" in done.stderr, done.stderr
    assert str(disk.host.data) in done.stderr and "inodes free" in done.stderr and "image gc" in done.stderr
    assert disk.left() == [] and disk.host.good("images", "-q") == ""
    # Where nothing is free at all, what is there can be looked at and removed.
    fill(disk.place)
    disk.host.good("images")
    disk.host.good("image", "gc")
    (disk.place / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=0", disk.place], check=True)
    disk.host.good(*disk.before, "pull", "-q", layout)
    assert disk.host.run("image", "verify").returncode == 0
    assert json.loads(disk.host.good("images", "--json"))


def fill(place):
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_removing_makes_room_on_a_full_disk(knarr_path, fail_write, scratch, mounted):
    disk = Disk(knarr_path, fail_write, mounted("size=8m"), scratch, "dir")
    disk.host.good(*disk.before, "pull", "-q", images.write_layout(scratch / "box", small_layers(600_000)))
    fill(disk.place)
    disk.host.good("rmi", "localhost/box")
    assert list(disk.host.data.glob("blobs/sha256/*/*")) == []
    assert os.statvfs(disk.place).f_bavail > 0


def test_a_store_that_is_read_only_is_still_read(knarr_path, fail_write, scratch, mounted):
    disk = Disk(knarr_path, fail_write, mounted(), scratch, "dir")
    layout = images.write_layout(scratch / "box", small_layers())
    disk.host.good(*disk.before, "pull", "-q", layout)
    subprocess.run(["mount", "-o", "remount,ro", disk.place], check=True)
    done = disk.host.run(*disk.before, "pull", "-q", layout)
    assert done.returncode == 5 and "Read-only file system" in done.stderr
    assert str(disk.host.data) in done.stderr and "writable" in done.stderr
    for words in (["images"], ["image", "inspect", "localhost/box"], ["image", "verify"]):
        disk.host.good(*words)
    subprocess.run(["mount", "-o", "remount,rw", disk.place], check=True)
    disk.host.good(*disk.before, "pull", "-q", layout)
