"""podman as an ordinary user, without systemd, with knarr as its runtime."""

import os
import shutil
import signal
import subprocess

import pytest

import rootless
from oci import wait_until
from rootless import SUBIDS, UID, UserHost


class Podman:
    """podman of a user who is in no file of the machine; vfs needs nothing of the kernel."""

    def __init__(self, host):
        self.host = host
        self.runtime_dir = host.make_dir("xdg")
        self.image = "localhost/knarr-test:1"

    def run(self, *args):
        command = self.host.as_user(
            "podman", "--cgroup-manager=cgroupfs", "--storage-driver=vfs",
            "--root", self.host.home / "storage", "--runroot", self.runtime_dir / "run",
            "--events-backend=file", "--runtime", self.host.knarr_path, *args)
        return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/",
                              env={**self.host.environment(), "XDG_RUNTIME_DIR": str(self.runtime_dir)})

    def ok(self, *args):
        done = self.run(*args)
        assert done.returncode == 0, f"podman {args}: {done.returncode}: {done.stderr}"
        return done.stdout

    def import_image(self):
        busybox = shutil.which("busybox")
        if not busybox:
            pytest.skip("no busybox-static (Debian package) on this machine")
        rootfs = self.host.make_dir("rootfs", 0o755)
        shutil.copy2(busybox, rootfs / "busybox")
        tar = self.host.directory / "image.tar"
        subprocess.run(["tar", "-C", rootfs, "-cf", tar, "."], check=True)
        tar.chmod(0o644)
        self.ok("import", tar, self.image)

    def end(self):
        """Its containers, and the process that keeps its user namespace open."""
        self.run("rm", "--all", "--force", "--time", "0")
        pause = self.runtime_dir / "libpod/tmp/pause.pid"
        if pause.exists():
            os.kill(int(pause.read_text()), signal.SIGKILL)


@pytest.fixture(scope="module")
def podman(knarr_path, witness_path, tmp_path_factory):
    rootless.needs_user_namespaces()
    rootless.needs_helpers()
    for program in ("podman", "conmon"):
        if not shutil.which(program):
            pytest.skip(f"no {program} (Debian package) on this machine")
    directory = tmp_path_factory.mktemp("podman")
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(0o755)
    own = Podman(UserHost(knarr_path, witness_path, directory))
    own.import_image()
    yield own
    own.end()
    wait_until(lambda: not own.host.processes(), "processes are left")


@pytest.mark.parametrize("network", ["none", "host"])
def test_a_container_runs_with_the_ids_of_the_user(podman, network):
    out = podman.ok("run", "--rm", "--log-driver=k8s-file", "--network", network, podman.image,
                    "/busybox", "cat", "/proc/self/uid_map")

    first, second = (line.split() for line in out.splitlines())
    assert first == ["0", str(UID), "1"]
    assert second == ["1", str(SUBIDS[0]), str(SUBIDS[1])]


def test_an_exit_code_and_the_failure_of_a_missing_program_arrive(podman):
    assert podman.run("run", "--rm", "--network=none", podman.image, "/busybox", "sh", "-c",
                      "exit 7").returncode == 7
    assert podman.run("run", "--rm", "--network=none", podman.image, "/missing").returncode in (126, 127)


def test_a_user_of_the_container_is_a_subordinate_one(podman):
    out = podman.ok("run", "--rm", "--network=none", "--user", "1000:1000", podman.image,
                    "/busybox", "id", "-u")

    assert out.strip() == "1000"


def test_the_hosts_cgroups_cannot_be_written(podman):
    done = podman.run("run", "--rm", "--network=host", podman.image, "/busybox", "sh", "-c",
                      "for one in /sys/fs/cgroup /sys/fs/cgroup/*; do"
                      " /busybox mkdir $one/knarr-test-escape && exit 1; done; exit 0")

    assert done.returncode == 0, done.stderr


def test_a_running_container_is_entered_stopped_and_removed(podman):
    name = podman.host.new_id()
    podman.ok("run", "--detach", "--log-driver=k8s-file", "--network=none", "--name", name,
              podman.image, "/busybox", "sleep", "100")

    assert podman.ok("exec", name, "/busybox", "id", "-u").strip() == "0"
    assert name in podman.ok("ps", "--format", "{{.Names}}")
    podman.ok("stop", "--time", "0", name)
    podman.ok("rm", name)
