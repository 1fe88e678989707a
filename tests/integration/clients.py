"""Callers of an OCI runtime, run by tests: podman, containerd and dockerd, each with everything of
its own. Their daemons and containers live in namespaces that a test made, so that nothing of the
machine is changed and everything ends with it."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from images import APPLETS
from oci import wait_until

# What the callers keep outside of the directories that can be named to them.
PREPARE = """
ip link set lo up && mount -t tmpfs tmpfs /run && mkdir -p /run/lock || exit 99
for one in /var/lib/cni /var/lib/containers; do
    [ ! -d "$one" ] || mount -t tmpfs tmpfs "$one" || exit 99
done
echo ready
exec "$1" -P
"""


def needs_programs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program} on this machine (tools/deps test)")


def needs_verb(knarr, verb):
    done = subprocess.run([str(knarr), verb, "--help"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this knarr has no verb {verb}")


class Place:
    """Mount, network and pid namespaces with a first process that reaps; gone after end()."""

    def __init__(self):
        if os.geteuid() != 0:
            pytest.skip("needs root: makes namespaces and cgroups")
        needs_programs("nsenter", "unshare", "ip")
        reaper = shutil.which("catatonit") or "/usr/libexec/podman/catatonit"
        if not os.path.exists(reaper):
            pytest.skip("no catatonit on this machine (tools/deps test)")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
             "--propagation", "private", "sh", "-c", PREPARE, "prepare", reaper],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            self.holder.wait()
            pytest.skip("namespaces of mounts, networks and pids cannot be made here")
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.first = int(children.read_text().split()[0])

    def inside(self, *command):
        return ["nsenter", "--target", str(self.first), "--mount", "--net", "--pid", "--",
                *map(str, command)]

    def run(self, *command, timeout=60, **options):
        return subprocess.run(self.inside(*command), timeout=timeout, text=True, check=False,
                              **{"capture_output": True, "stdin": subprocess.DEVNULL, **options})

    def start(self, *command, **options):
        return subprocess.Popen(self.inside(*command),
                                **{"stdin": subprocess.DEVNULL, "start_new_session": True, **options})

    def path(self, path):
        """A path of the place as seen from outside."""
        return pathlib.Path(f"/proc/{self.first}/root{path}")

    def mounts(self):
        return pathlib.Path(f"/proc/{self.first}/mountinfo").read_text().splitlines()

    def end(self):
        """Kills the first process, and with it the kernel kills all others."""
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        wait_until(lambda: not os.path.exists(f"/proc/{self.first}"), "the place does not end")


class Client:
    """What the tests of every caller use: run() of a subclass runs it with its words."""

    def __init__(self, place, knarr, directory):
        self.place, self.knarr, self.directory = place, str(knarr), pathlib.Path(directory)

    def run(self, *words, **options):
        raise NotImplementedError

    def ok(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def refused(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode != 0, f"{words} succeeded: {done.stdout}"
        return done.stdout + done.stderr


def make_rootfs(directory):
    """A root file system of static busybox, and the same as a tar. Returns the tar's path."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("no busybox-static on this machine (tools/deps test)")
    rootfs = pathlib.Path(directory) / "image"
    for name in ("bin", "etc", "tmp", "home/web", "sbin"):
        (rootfs / name).mkdir(parents=True)
    (rootfs / "tmp").chmod(0o1777)
    shutil.copy2(busybox, rootfs / "bin/busybox")
    for applet in [*APPLETS, "tty", "stty", "ps", "ip", "df", "sort", "readlink", "umask", "head",
                   "timeout", "nc", "trap", "test", "printf", "ln", "chmod", "tail", "sed"]:
        link = rootfs / "bin" / applet
        if not link.is_symlink():
            link.symlink_to("busybox")
    (rootfs / "sbin/init").symlink_to("/bin/busybox")
    (rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n"
                                       "web:x:1000:1001:Web:/home/web:/bin/sh\n")
    (rootfs / "etc/group").write_text("root:x:0:\nweb:x:1001:\naudio:x:29:web\n")
    (rootfs / "junk").write_text("no program")
    tar = pathlib.Path(directory) / "image.tar"
    subprocess.run(["tar", "-C", rootfs, "-cf", tar, "."], check=True)
    return tar


def cgroups_with(text):
    """cgroups of any hierarchy whose path has `text` in it."""
    return [path for path, _, _ in os.walk("/sys/fs/cgroup") if text in os.path.basename(path)]


def without_ids(text):
    """Words that differ from container to container: IDs, host names made of them, times."""
    return re.sub(r"\b[0-9a-f]{12,64}\b", "ID", text)
