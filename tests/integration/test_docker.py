"""dockerd with knarr as its default runtime."""

import json
import re

import pytest

from clients import Client, Place, cgroups_with, make_rootfs, needs_programs, needs_verb
from oci import wait_until

IMAGE = "knarr-test:1"


class Docker(Client):
    def __init__(self, place, knarr, directory):
        super().__init__(place, knarr, directory)
        needs_programs("dockerd", "containerd", "runc")
        self.socket = self.directory / "docker.sock"
        configuration = self.directory / "daemon.json"
        configuration.write_text(json.dumps({
            "default-runtime": "knarr", "runtimes": {"knarr": {"path": self.knarr}},
            "data-root": f"{self.directory}/data", "exec-root": f"{self.directory}/exec",
            "pidfile": f"{self.directory}/pid", "hosts": [f"unix://{self.socket}"],
            "iptables": False, "ip6tables": False, "bridge": "none",
            # Its own request is 1048576 files, which only CAP_SYS_RESOURCE may give.
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 4096}}}))
        self.log = (self.directory / "log").open("wb")
        self.daemon = place.start("dockerd", "--config-file", configuration,
                                  stdout=self.log, stderr=self.log)
        wait_until(lambda: self.run("version").returncode == 0 or self.daemon.poll() is not None,
                   "dockerd does not answer", seconds=40)
        if self.daemon.poll() is not None:
            reason = (self.directory / "log").read_text().strip().splitlines()[-1]
            pytest.skip(f"dockerd does not start here: {reason}")
        self.ok("import", make_rootfs(self.directory), IMAGE)

    def run(self, *words, **options):
        # Not the first `docker` of PATH: on some machines that is another program.
        return self.place.run("env", f"DOCKER_HOST=unix://{self.socket}", "DOCKER_BUILDKIT=0",
                              f"DOCKER_CONFIG={self.directory}/client", "/usr/bin/docker", *words,
                              **options)

    def container(self, *words, options=(), runtime="knarr"):
        return self.run("run", "--rm", f"--runtime={runtime}", "--network=none", *options, IMAGE, *words)

    def end(self):
        for container in self.run("ps", "--all", "--quiet").stdout.split():
            self.run("rm", "--force", container)
        self.daemon.terminate()
        self.daemon.wait()
        self.log.close()


@pytest.fixture(scope="module")
def docker(knarr_path, tmp_path_factory):
    place = Place()
    try:
        docker = Docker(place, knarr_path, tmp_path_factory.mktemp("docker"))
        yield docker
        docker.end()
    finally:
        place.end()


@pytest.fixture
def running(docker):
    container = docker.ok("run", "--detach", "--name=running", "--network=none", "--memory=64m",
                          "--cpus=0.5", "--pids-limit=50", IMAGE, "sh", "-c",
                          "trap 'exit 5' TERM; echo hello; while :; do sleep 0.05; done")
    wait_until(lambda: docker.ok("logs", "running") == "hello", "it does not start")
    yield container
    docker.run("rm", "--force", "running")
    wait_until(lambda: not cgroups_with(container), "cgroups are left")


def test_knarr_is_what_it_runs(docker):
    assert docker.ok("info", "--format={{.DefaultRuntime}}") == "knarr"


@pytest.mark.parametrize("words, status", [
    (["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "sleep 9 & kill -9 $!; wait $!"], 137),
    (["no-such"], 127), (["/no/such"], 127), (["/junk"], 126), (["/etc"], 126)])
def test_exit_statuses_are_those_with_runc(docker, words, status):
    done = docker.container(*words)
    assert done.returncode == status == docker.container(*words, runtime="runc").returncode, done.stderr
    if status in (126, 127):
        assert words[0] in done.stderr and "OCI runtime create failed" in done.stderr, done.stderr


STATUS = "grep -E 'Cap|NoNew|Seccomp:|Groups|^Uid' /proc/self/status"
OPTIONS = {
    "defaults": ([], f"{STATUS}; id; pwd; env | grep -v HOSTNAME | sort; ulimit -a; umask"),
    "mounts": ([], "cut -d' ' -f2 /proc/mounts | grep -v cgroup | sort"),
    "user": (["--user=web", "--group-add=44"], STATUS),
    "capabilities": (["--cap-add=NET_ADMIN", "--cap-drop=CHOWN"], STATUS),
    "seccomp": (["--security-opt=seccomp=unconfined"], STATUS),
    "no new privileges": (["--security-opt=no-new-privileges"], STATUS),
    "read-only": (["--read-only", "--tmpfs=/x:size=1m"], "touch /x/a && echo yes; touch /y"),
    "volume": (["--volume=DIR:/v:ro"], "ls /v/daemon.json; touch /v/x"),
    "device": (["--device=/dev/fuse"], "ls -l /dev/fuse | cut -d' ' -f1"),
    "limits": (["--memory=64m", "--cpus=0.5", "--pids-limit=33", "--cpu-shares=99"],
               "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us"
               " pids/pids.max cpu/cpu.shares"),
    "sysctl": (["--sysctl=net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward"),
    "ulimit": (["--ulimit=nofile=100:200"], "ulimit -Sn; ulimit -Hn"),
    "init": (["--init"], "cat /proc/1/comm"),
    "host's namespaces": (["--pid=host", "--uts=host"], "readlink /proc/self/ns/pid /proc/self/ns/uts"),
    "working directory": (["--workdir=/made/here"], "pwd"),
    "shared memory": (["--shm-size=1m", "--ipc=private"], "df -k /dev/shm | tail -n 1"),
}


@pytest.mark.parametrize("name", OPTIONS, ids=lambda name: name.replace(" ", "-"))
def test_an_option_has_the_effect_that_it_has_with_runc(docker, name):
    options, script = OPTIONS[name]
    options = [option.replace("DIR", str(docker.directory)) for option in options]
    ours, theirs = (docker.container("sh", "-c", script, options=options, runtime=runtime)
                    for runtime in ("knarr", "runc"))
    assert theirs.returncode in (0, 1), f"runc itself cannot: {theirs.stderr}"
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout), ours.stderr
    assert ours.stdout + ours.stderr


def test_a_running_container_is_entered(docker, running):
    assert docker.ok("exec", "--user=web", "--workdir=/tmp", "running", "sh", "-c", "id -u; pwd"
                     ).split() == ["1000", "/tmp"]
    assert docker.run("exec", "running", "sh", "-c", "exit 4").returncode == 4
    for program in ("no-such", "/junk"):
        assert docker.run("exec", "running", program).returncode == 126  # as with runc
        assert program in docker.refused("exec", "running", program)
    assert docker.ok("exec", "--tty", "running", "tty") == "/dev/pts/0"


def test_a_terminal(docker):
    assert docker.container("tty", options=["--tty"]).stdout.strip() == "/dev/pts/0"


def test_it_is_looked_at(docker, running):
    needs_verb(docker.knarr, "pause")
    assert "sh -c" in docker.ok("top", "running")
    assert docker.ok("stats", "--no-stream", "--format={{.Name}}", "running") == "running"


def test_it_is_paused_and_goes_on(docker, running):
    needs_verb(docker.knarr, "pause")
    docker.ok("pause", "running")
    assert "Paused" in docker.ok("ps", "--format={{.Status}}")
    docker.ok("unpause", "running")
    assert docker.ok("exec", "running", "echo", "on") == "on"


def test_its_limits_are_changed(docker, running):
    needs_verb(docker.knarr, "update")
    docker.ok("update", "--memory=80m", "--memory-swap=160m", "--pids-limit=44", "running")
    assert docker.ok("exec", "running", "sh", "-c", "cd /sys/fs/cgroup;"
                     " cat memory/memory.limit_in_bytes pids/pids.max").split() == [str(80 << 20), "44"]


def test_it_is_stopped_started_again_and_removed(docker, running):
    docker.ok("stop", "--time=20", "running")
    assert docker.ok("inspect", "--format={{.State.ExitCode}}", "running") == "5"
    docker.ok("start", "running")
    docker.ok("restart", "--time=20", "running")
    docker.ok("kill", "running")
    assert docker.ok("wait", "running") == "137"


def test_being_killed_for_memory_is_reported_as_with_runc(docker):
    states = []
    for runtime in ("knarr", "runc"):
        docker.run("run", "--name=oom", f"--runtime={runtime}", "--network=none", "--memory=8m", IMAGE,
                   "sh", "-c", "exec tail /dev/zero")
        states.append(docker.ok("inspect", "--format={{.State.ExitCode}} {{.State.OOMKilled}}", "oom"))
        docker.ok("rm", "oom")
    assert states[0] == states[1] and states[0].startswith("137 ")


def test_a_privileged_container(docker):
    """Here runc 1.1 fails where a capability of the host is not there to be given."""
    assert docker.container("sh", "-c", "mkdir /m && mount -t tmpfs t /m && touch /m/x && echo made",
                            options=["--privileged"]).stdout == "made\n"


def test_a_build_runs_its_commands(docker):
    context = docker.directory / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN echo built > /built\nUSER web\nRUN id -un > /tmp/who\n"
        "CMD [\"cat\", \"/built\", \"/tmp/who\"]\n")
    docker.ok("build", "--network=none", "--tag=built:1", context, timeout=120)
    assert docker.ok("run", "--rm", "--network=none", "built:1").split() == ["built", "web"]


def test_a_checkpoint_is_refused(docker, running):
    message = docker.refused("checkpoint", "create", "running", "one")
    assert re.search("checkpoint|criu|experimental", message, re.IGNORECASE), message
    assert docker.ok("exec", "running", "echo", "alive") == "alive"
