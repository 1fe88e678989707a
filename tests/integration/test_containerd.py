"""containerd with its runc shim, and knarr as that shim's runc, driven by ctr."""

import json
import os
import pty
import subprocess

import pytest

from clients import Client, Place, cgroups_with, make_rootfs, needs_programs, needs_verb
from images import write_layout
from oci import wait_until

IMAGE = "localhost/knarr-test:1"
CONFIGURATION = """
version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{0}/containerd.sock"
"""


class Containerd(Client):
    def __init__(self, place, knarr, directory):
        super().__init__(place, knarr, directory)
        needs_programs("containerd", "ctr", "containerd-shim-runc-v2", "runc")
        (self.directory / "config.toml").write_text(CONFIGURATION.format(self.directory))
        self.log = (self.directory / "log").open("wb")
        self.daemon = place.start("containerd", "--config", self.directory / "config.toml",
                                  stdout=self.log, stderr=self.log)
        wait_until(lambda: self.run("version").returncode == 0 or self.daemon.poll() is not None,
                   "containerd does not answer")
        if self.daemon.poll() is not None:
            pytest.skip("containerd does not start here: "
                        + (self.directory / "log").read_text()[-300:])
        layout = self.directory / "layout"
        write_layout(layout, [make_rootfs(self.directory).read_bytes()],
                     {"Env": ["PATH=/bin"], "Cmd": ["true"]}, tag=IMAGE)
        archive = self.directory / "layout.tar"
        subprocess.run(["tar", "-C", layout, "-cf", archive, "."], check=True)
        self.ok("images", "import", archive)

    def command(self, *words):
        return ["ctr", "--address", self.directory / "containerd.sock", *words]

    def run(self, *words, **options):
        return self.place.run(*self.command(*words), **options)

    def run_words(self, name, *words, options=(), runtime=None):
        return ["run", "--runc-binary", runtime or self.knarr, *options, IMAGE, name, *words]

    def container(self, name, *words, options=(), runtime=None):
        return self.run(*self.run_words(name, *words, options=["--rm", *options], runtime=runtime))

    def end(self):
        for name in self.run("tasks", "list", "--quiet").stdout.split():
            self.run("tasks", "rm", "--force", name)
        self.daemon.terminate()
        self.daemon.wait()
        self.log.close()


@pytest.fixture(scope="module")
def containerd(knarr_path, tmp_path_factory):
    place = Place()
    try:
        containerd = Containerd(place, knarr_path, tmp_path_factory.mktemp("containerd"))
        yield containerd
        containerd.end()
    finally:
        place.end()


@pytest.fixture
def running(containerd):
    """A container that runs, and is gone after the test with its cgroups."""
    name = "running"
    containerd.ok(*containerd.run_words(name, "sh", "-c", "trap 'exit 5' TERM;"
                                        " while :; do sleep 0.05; done", options=["--detach"]))
    yield name
    containerd.run("tasks", "rm", "--force", name)
    containerd.ok("containers", "rm", name)
    wait_until(lambda: not cgroups_with(name), "cgroups are left")


@pytest.mark.parametrize("words, status", [(["true"], 0), (["sh", "-c", "exit 3"], 3)])
def test_a_container_runs_and_its_status_arrives(containerd, words, status):
    done = containerd.container("status", *words)
    assert done.returncode == status, done.stderr


@pytest.mark.parametrize("words, said", [
    (["no-such"], 'executable file not found in $PATH'), (["/junk"], "permission denied"),
    (["/etc"], "permission denied")])
def test_a_program_that_cannot_run_fails_the_create(containerd, words, said):
    ours, theirs = (containerd.container("bad", *words, runtime=runtime) for runtime in (None, "runc"))
    assert ours.returncode == theirs.returncode != 0
    assert "OCI runtime create failed" in ours.stderr and "OCI runtime create failed" in theirs.stderr
    assert said in ours.stderr and words[0] in ours.stderr, ours.stderr


STATUS = "grep -E 'Cap|NoNew|Seccomp:|Groups|^Uid' /proc/self/status"
OPTIONS = {
    "defaults": ([], f"{STATUS}; id; pwd; env | sort; ulimit -a; ls -l /dev | wc -l"),
    "mounts": ([], "cut -d' ' -f2 /proc/mounts | grep -v cgroup | sort"),
    "seccomp": (["--seccomp"], STATUS),
    "privileged": (["--privileged"], STATUS),
    "read-only": (["--read-only"], "touch /x"),
    "limits": (["--memory-limit=64000000", "--cpus=0.5", "--cpu-shares=300"],
               "cut -d: -f2- /proc/self/cgroup | grep -E '^(memory|cpu|pids|name)' | sort"),
    "bind": (["--mount", "type=bind,src=DIR,dst=/v,options=rbind:ro"], "ls /v/config.toml; touch /v/x"),
    "user": (["--user=1000:1001"], STATUS),
    "working directory": (["--cwd=/made/here"], "pwd"),
    "no new privileges off": (["--allow-new-privs"], STATUS),
    "device": (["--device=/dev/fuse"], "ls -l /dev/fuse | cut -d' ' -f1"),
    "network of the host": (["--net-host"], "readlink /proc/self/ns/net"),
    "rlimit": (["--rlimit-nofile=200"], "ulimit -n"),
}


@pytest.mark.parametrize("name", OPTIONS, ids=lambda name: name.replace(" ", "-"))
def test_a_container_is_what_it_is_with_runc(containerd, name):
    options, script = OPTIONS[name]
    options = [option.replace("DIR", str(containerd.directory)) for option in options]
    theirs = containerd.container("compared", "sh", "-c", script, options=options, runtime="runc")
    ours = containerd.container("compared", "sh", "-c", script, options=options)
    assert theirs.returncode in (0, 1), f"runc itself cannot: {theirs.stderr}"
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout), ours.stderr
    assert ours.stdout + ours.stderr


def test_a_task_is_entered(containerd, running):
    done = containerd.run("tasks", "exec", "--exec-id=one", running, "sh", "-c", "echo in; exit 6")
    assert (done.returncode, done.stdout) == (6, "in\n"), done.stderr
    done = containerd.run("tasks", "exec", "--exec-id=two", "--cwd=/tmp", "--user=1000", running, "pwd")
    assert (done.returncode, done.stdout) == (0, "/tmp\n"), done.stderr
    message = containerd.refused("tasks", "exec", "--exec-id=three", running, "no-such")
    assert "OCI runtime exec failed" in message and "executable file not found" in message


def on_terminal(containerd, *words):
    """Runs ctr on a terminal of 33 lines and 77 columns; returns its status and what was shown."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "77"], stdin=slave, check=True)
    process = containerd.place.start(*containerd.command(*words), stdin=slave, stdout=slave,
                                     stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            more = os.read(master, 1024)
        except OSError:  # EIO: nobody has the other end open any more
            break
        shown += more
    os.close(master)
    return process.wait(30), shown.decode()


# ctr tells the size after the start: the program waits until it has arrived.
SIZE = "tty; until stty size 2>/dev/null | grep -q 33; do sleep 0.02; done; stty size"


def test_a_terminal_is_the_callers(containerd):
    status, shown = on_terminal(
        containerd, *containerd.run_words("terminal", "sh", "-c", SIZE + "; exit 4",
                                          options=["--rm", "--tty"]))
    assert status == 4 and "/dev/pts/0" in shown and "33 77" in shown, shown


def test_a_task_is_entered_with_a_terminal(containerd, running):
    status, shown = on_terminal(containerd, "tasks", "exec", "--tty", "--exec-id=terminal", running,
                                "sh", "-c", SIZE)
    assert status == 0 and "/dev/pts/" in shown and "33 77" in shown, shown


def test_a_task_is_paused_and_resumed(containerd, running):
    needs_verb(containerd.knarr, "pause")
    containerd.ok("tasks", "pause", running)
    assert "PAUSED" in containerd.ok("tasks", "list")
    containerd.ok("tasks", "resume", running)
    assert "RUNNING" in containerd.ok("tasks", "list")


def test_the_processes_of_a_task_are_listed(containerd, running):
    needs_verb(containerd.knarr, "pause")
    header, first, *_ = containerd.ok("tasks", "ps", running).splitlines()
    assert header.split()[0] == "PID"
    assert first.split()[0] in containerd.ok("tasks", "list")


def test_a_signal_ends_a_task_with_the_programs_status(containerd, running):
    containerd.ok("tasks", "kill", "--signal=SIGTERM", running)
    wait_until(lambda: "STOPPED" in containerd.ok("tasks", "list"), "it does not stop")
    done = containerd.run("tasks", "rm", running)
    assert "exit code 5" in done.stderr, done.stderr


def test_a_checkpoint_is_refused_and_the_task_goes_on(containerd, running):
    needs_verb(containerd.knarr, "pause")
    message = containerd.refused("tasks", "checkpoint", running)
    assert "checkpoint" in message or "CRIU" in message or "criu" in message, message
    if "PAUSED" in containerd.ok("tasks", "list"):
        containerd.ok("tasks", "resume", running)
    assert containerd.ok("tasks", "exec", "--exec-id=after", running, "echo", "alive") == "alive"


def test_metrics_are_read_from_its_cgroup(containerd, running):
    """ctr reads cgroups itself, where the shim finds their mounts: knarr only has to be in them."""
    ours = containerd.run("tasks", "metrics", "--format=json", running)
    if "no metrics received" in ours.stderr:
        pytest.skip("ctr 1.6 decodes no metrics of these cgroup hierarchies")
    assert ours.returncode == 0, ours.stderr
    json.loads(ours.stdout)
