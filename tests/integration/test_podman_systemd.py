"""podman with systemd as its cgroup manager, as root and as a user who is logged in (or lingers)."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import pytest

import rootless
from clients import Client, make_rootfs, needs_programs
from oci import wait_until
from podman import CONFIGURATION, IMAGE
from rootless import UID
from test_systemd_cgroup import SessionHost, SystemHost, needs_systemd

# podman's words for the user come from here, as callers.md has it: the timers of its health checks run
# it without any.
OF_THE_USER = CONFIGURATION.replace("[engine]\n", """[engine]
runtime = "knarr"
events_logger = "file"
""")


class Podman(Client):
    """Of root, with storage of its own."""

    slice = "machine.slice"

    def __init__(self, host, knarr):
        super().__init__(None, knarr, host.directory)
        self.host = host
        self.prepare()
        tar = make_rootfs(self.directory)
        tar.chmod(0o644)
        self.ok("import", tar, IMAGE)

    def prepare(self):
        self.configuration = self.directory / "containers.conf"
        self.configuration.write_text(CONFIGURATION.format(knarr=self.knarr))

    def command(self, *words):
        return ["env", f"CONTAINERS_CONF={self.configuration}", "podman", "--cgroup-manager=systemd",
                "--storage-driver=overlay", "--root", self.directory / "storage",
                "--runroot", self.directory / "run", "--tmpdir", self.directory / "tmp",
                "--events-backend=file", "--runtime=knarr", *words]

    def run(self, *words, **options):
        return subprocess.run([str(word) for word in self.command(*words)], timeout=180, text=True,
                              check=False, cwd="/", env=self.host.environment(),
                              **{"capture_output": True, "stdin": subprocess.DEVNULL, **options})

    def start(self, name, *words):
        """A container that goes on. Returns its unit."""
        container = self.ok("run", "--detach", "--network=none", "--name", name, *words, IMAGE,
                            "sh", "-c", "trap 'exit 3' TERM; sleep 10000 & wait")
        return f"libpod-{container}.scope"

    def remove(self, name):
        self.ok("rm", "--force", "--time=0", name)

    def own(self, unit, *names):
        """What stands in files of a unit's cgroup."""
        directory = self.host.directory_of(unit)
        return [(directory / name).read_text().strip() for name in names]

    def end(self):
        self.run("rm", "--all", "--force", "--time=0")


class UsersPodman(Podman):
    """Of the user whose manager runs, as the user has it: storage, manager and runtime by default."""

    slice = f"user.slice/user-{UID}.slice/user@{UID}.service/user.slice"

    def prepare(self):
        self.home = pathlib.Path(pwd.getpwuid(UID).pw_dir)
        configuration = self.home / ".config/containers/containers.conf"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.write_text(OF_THE_USER.format(knarr=self.knarr))
        rootless.own(self.home)

    def command(self, *words):
        return self.host.as_user("env", f"HOME={self.home}", "podman", *words)

    def end(self):
        super().end()
        self.run("system", "reset", "--force")
        pause = pathlib.Path(f"/run/user/{UID}/libpod/tmp/pause.pid")
        if pause.exists():
            os.kill(int(pause.read_text()), signal.SIGKILL)
        for name in (".config", ".local"):
            shutil.rmtree(self.home / name, ignore_errors=True)


@pytest.fixture(scope="module", params=["root", "user"])
def podman(request, knarr_path, witness_path, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    needs_systemd()
    needs_programs("podman", "conmon")
    directory = tmp_path_factory.mktemp("podman")
    for one in (directory, *directory.parents[:2]):
        one.chmod(0o755)
    if request.param == "root":
        podman = Podman(SystemHost(knarr_path, witness_path, directory), knarr_path)
    else:
        rootless.needs_user_namespaces()
        rootless.needs_helpers()
        if not pathlib.Path(f"/run/user/{UID}/systemd/private").exists():
            pytest.skip(f"user {UID} has no session: loginctl enable-linger")
        host = SessionHost(knarr_path, witness_path, directory)
        podman = UsersPodman(host, host.knarr_path)
    yield podman
    podman.end()
    wait_until(lambda: not podman.host.processes(), "processes are left")


@pytest.fixture(scope="module")
def running(podman):
    """The unit of a container with limits, which tests that change nothing share."""
    return podman.start("shared", "--memory=64m", "--memory-swap=96m", "--pids-limit=77")


def test_a_container_is_a_unit_in_podmans_slice(podman):
    cgroup = podman.ok("run", "--rm", "--network=none", "--memory=64m", "--cgroupns=host", IMAGE,
                       "cat", "/proc/self/cgroup")
    assert cgroup.startswith(f"0::/{podman.slice}/libpod-") and ".scope" in cgroup


def test_exit_statuses_arrive(podman):
    run = ["run", "--rm", "--network=none", IMAGE]
    assert podman.run(*run, "sh", "-c", "exit 7").returncode == 7
    missing = podman.run(*run, "no-such-program")
    assert missing.returncode == 127 and "executable file not found in $PATH" in missing.stderr


def test_limits_are_systemds_and_the_kernels(podman, running):
    assert podman.host.show(running, "ActiveState") == "active"
    assert podman.host.show(running, "MemoryMax") == str(64 << 20)
    assert podman.host.show(running, "TasksMax") == "77"
    assert podman.own(running, "memory.max", "pids.max") == [str(64 << 20), "77"]
    assert podman.own(running, "memory.swap.max") == [str(32 << 20)]


def test_a_further_process_is_in_the_unit(podman, running):
    assert podman.run("exec", "shared", "sh", "-c", "exit 4").returncode == 4
    assert podman.ok("exec", "--user=web", "shared", "id", "-u") == "1000"
    # The container's cgroup namespace begins at its cgroup.
    assert podman.ok("exec", "shared", "sh", "-c", "cat /proc/self/cgroup; cat /sys/fs/cgroup/pids.max"
                     ).split() == ["0::/", "77"]


def test_stats_and_top_look_into_it(podman, running):
    told = json.loads(podman.ok("stats", "--no-stream", "--format=json", "shared"))[0]
    assert told["name"] == "shared" and int(told["pids"]) >= 1
    assert "67.11MB" in told["mem_usage"] and not told["mem_usage"].startswith("0B")
    assert "sh -c" in podman.ok("top", "shared", "args")


def test_pausing_freezes_the_unit(podman):
    unit = podman.start("paused")
    podman.ok("pause", "paused")
    assert podman.own(unit, "cgroup.freeze") == ["1"]
    assert podman.ok("inspect", "--format={{.State.Status}}", "paused") == "paused"
    podman.ok("unpause", "paused")
    assert podman.ok("exec", "paused", "echo", "again") == "again"
    podman.remove("paused")


def test_an_update_reaches_systemd_and_the_kernel(podman):
    unit = podman.start("updated", "--memory=64m", "--memory-swap=64m")
    podman.ok("update", "--memory=96m", "--memory-swap=96m", "updated")
    assert podman.own(unit, "memory.max") == [str(96 << 20)]
    assert podman.host.show(unit, "MemoryMax") == str(96 << 20)
    podman.host.systemctl("daemon-reload")  # systemd writes its own idea again
    assert podman.own(unit, "memory.max") == [str(96 << 20)]
    podman.remove("updated")


def test_a_health_check_is_run_by_hand(podman):
    podman.start("health", "--health-cmd=test -e /healthy", "--health-interval=disable",
                 "--health-retries=1")
    assert podman.run("healthcheck", "run", "health").returncode == 1
    podman.ok("exec", "health", "touch", "/healthy")
    assert podman.run("healthcheck", "run", "health").returncode == 0
    podman.remove("health")


def test_a_health_check_is_run_by_systemds_timer(podman):
    if podman.host.scope != ("--user",):
        pytest.skip("root's timers run podman on root's own storage, which tests leave alone")
    podman.start("timed", "--health-cmd=touch /checked", "--health-interval=20s")
    pid = podman.ok("inspect", "--format={{.State.Pid}}", "timed")
    # Looked at from outside: every podman is slow where the machine is emulated, the check's too.
    wait_until(pathlib.Path(f"/proc/{pid}/root/checked").exists, "no timer runs the check", seconds=120)
    wait_until(lambda: podman.ok("inspect", "--format={{.State.Health.Status}}", "timed") == "healthy",
               "the check does not say healthy", seconds=120)
    podman.remove("timed")


def test_stopping_and_removing_leaves_no_unit(podman):
    unit = podman.start("life")
    podman.ok("stop", "--time=60", "life")
    assert podman.ok("inspect", "--format={{.State.ExitCode}} {{.State.Status}}", "life") == "3 exited"
    podman.ok("start", "life")
    assert podman.host.show(unit, "ActiveState") == "active"
    podman.remove("life")
    listed = podman.host.systemctl("list-units", "--all", "--plain", "--no-legend", unit)
    assert listed.stdout.strip() == ""


def test_a_pod_has_a_slice_with_its_containers(podman):
    podman.ok("pod", "create", "--name=pod", "--network=none")
    first = podman.start("member", "--pod=pod")
    group = podman.host.show(first, "ControlGroup")
    assert f"/{podman.slice}/" in group and "libpod_pod_" in group and ".slice/libpod-" in group
    assert podman.ok("exec", "member", "echo", "alive") == "alive"
    podman.ok("pod", "rm", "--force", "--time=0", "pod")
    assert not (pathlib.Path("/sys/fs/cgroup") / group.lstrip("/")).exists()
