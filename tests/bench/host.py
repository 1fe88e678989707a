"""A private mount namespace in which every runtime can work, for tools/bench."""

import contextlib
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile

MARK = "KNARR_BENCH_NAMESPACE"


def enter_namespace():
    """Starts this program again in a mount namespace of its own, once."""
    if os.environ.get(MARK) != "entered":
        os.environ[MARK] = "entered"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    del os.environ[MARK]


def mount(*args):
    return subprocess.run(["mount", *map(str, args)], capture_output=True).returncode == 0


def complete_v1_hierarchies(scratch):
    """crun starts nothing on v1 unless hugetlb, perf_event and net_cls,net_prio are mounted: they are
    added to a copy of /sys/fs/cgroup that only this namespace sees, for all runtimes alike."""
    real = pathlib.Path("/sys/fs/cgroup")
    if (real / "cgroup.controllers").exists():
        return
    scratch.mkdir()
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", scratch)
    for entry in sorted(real.iterdir()):
        if entry.is_symlink():
            (scratch / entry.name).symlink_to(os.readlink(entry))
        elif entry.is_dir():
            (scratch / entry.name).mkdir()
            if entry.is_mount():
                mount("--bind", entry, scratch / entry.name)
    for controllers in ("hugetlb", "perf_event", "net_cls,net_prio"):
        place = scratch / controllers
        if not place.exists():
            place.mkdir()
            if not mount("-t", "cgroup", "-o", controllers, "cgroup", place):
                place.rmdir()  # the kernel lacks it, or cgroup v2 has it
    if (scratch / "net_cls,net_prio").exists():
        for name in ("net_cls", "net_prio"):
            if not (scratch / name).exists():
                (scratch / name).symlink_to("net_cls,net_prio")
    mount("--move", scratch, real)


@contextlib.contextmanager
def work_directory():
    """A directory whose path every tool takes as part of an image's name (tempfile's may have "__" or "._"
    in it), and which goes with whatever was left mounted below it."""
    work = pathlib.Path(tempfile.gettempdir(), f"knarr-bench-{secrets.token_hex(4)}")
    work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        places = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        for place in reversed(places):
            if place.startswith(f"{work}/"):
                subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(work)


def states_on_tmpfs(place):
    """States lie on a tmpfs for every runtime, as /run is on a real machine."""
    place.mkdir()
    mount("-t", "tmpfs", "-o", "mode=700", "tmpfs", place)
    return place


def remove_cgroups(name):
    """The cgroup above those of the bundles, which runtimes make and leave."""
    for place in pathlib.Path("/sys/fs/cgroup").glob(f"*/{name}"):
        try:
            place.rmdir()
        except OSError as error:
            print(f"bench: {place} stays: {error.strerror}")
