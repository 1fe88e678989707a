"""What the tests of the OCI verbs share: bundles to run, the program, and what it may leave."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import uuid

import pytest

TOKEN_VARIABLE = "KNARR_TEST_TOKEN"

# KNARR_TEST_CGROUP_MANAGER=systemd runs the same tests with containers that systemd makes cgroups for.
CGROUP_MANAGER = [f"--cgroup-manager={manager}" for manager in
                  filter(None, [os.environ.get("KNARR_TEST_CGROUP_MANAGER")])]


def assert_has_faults(program):
    """A fault that the program does not know never comes; the test would wait, or prove nothing."""
    assert b"create.made" in pathlib.Path(program).read_bytes(), \
        f"{program} has no fault points: take the fixture breakable_knarr"


def default_config(args):
    """A small configuration: the namespaces of `runc spec`, no capabilities, no seccomp."""
    return {
        "ociVersion": "1.2.0",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/bin:/"],
            "cwd": "/",
            "capabilities": {"bounding": [], "effective": [], "permitted": []},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "hostname": "oci-test",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        ],
        "linux": {
            "namespaces": [{"type": name} for name in ("pid", "network", "ipc", "uts", "mount")],
        },
    }


class Bundle:
    """An OCI bundle with the witness program; save() after each change of `config`."""

    def __init__(self, directory, witness, token, *args):
        self.directory = pathlib.Path(directory)
        self.rootfs = self.directory / "rootfs"
        for name in ("proc", "dev", "tmp"):
            (self.rootfs / name).mkdir(parents=True)
        shutil.copy2(witness, self.rootfs / "witness")
        self.config = default_config(["/witness", *args])
        self.config["process"]["env"].append(f"{TOKEN_VARIABLE}={token}")
        self.save()

    def save(self):
        (self.directory / "config.json").write_text(json.dumps(self.config))

    def use_shell(self, script):
        """Runs a shell script instead: for what the witness program cannot be."""
        busybox = shutil.which("busybox")
        if not busybox:
            pytest.skip("no busybox-static (Debian package) on this machine")
        shutil.copy2(busybox, self.rootfs / "busybox")
        self.config["process"]["args"] = ["/busybox", "sh", "-c", script]

    def share(self, *kinds):
        """Leaves namespaces of these kinds to the host."""
        linux = self.config["linux"]
        linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] not in kinds]
        self.save()

    def hook(self, point, *command, **more):
        hook = {"path": command[0], "args": list(command), **more}
        self.config.setdefault("hooks", {}).setdefault(point, []).append(hook)
        self.save()


class Host:
    """One test's own state directory, its containers, and what they leave on the host."""

    def __init__(self, knarr, witness, directory):
        self.knarr_path, self.witness, self.directory = knarr, witness, pathlib.Path(directory)
        self.token = "kt" + uuid.uuid4().hex[:12]
        self.root = self.directory / "root"
        self.count = 0

    def new_id(self):
        self.count += 1
        return f"{self.token}-{self.count}"

    def bundle(self, *args):
        self.count += 1
        return Bundle(self.directory / f"bundle{self.count}", self.witness, self.token, *args)

    def environment(self, fault=None):
        environment = {**os.environ, TOKEN_VARIABLE: self.token}
        environment.pop("KNARR_FAULT", None)
        if fault:
            assert_has_faults(self.knarr_path)
            environment["KNARR_FAULT"] = fault
        return environment

    def command(self, *args):
        return [str(self.knarr_path), "--root", str(self.root), *CGROUP_MANAGER, *map(str, args)]

    def start_process(self, *args, fault=None, **options):
        return subprocess.Popen(self.command(*args), env=self.environment(fault),
                                **{"stdin": subprocess.DEVNULL, **options})

    def knarr(self, *args, fault=None, timeout=60, **options):
        """Runs knarr to its end. Files and not pipes take the output: a container that goes on
        keeps a pipe open."""
        self.count += 1
        out, err = (self.directory / f"{kind}{self.count}" for kind in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            done = subprocess.run(self.command(*args), stdout=stdout, stderr=stderr, timeout=timeout,
                                  env=self.environment(fault),
                                  **{"stdin": subprocess.DEVNULL, **options})
        done.out_path = out
        done.stdout, done.stderr = out.read_text(), err.read_text()
        return done

    def ok(self, *args, **options):
        done = self.knarr(*args, **options)
        assert done.returncode == 0, f"knarr {args}: {done.returncode}: {done.stderr}"
        return done

    def refused(self, *args, **options):
        """Runs knarr and wants it to fail with a message; returns that message."""
        done = self.knarr(*args, **options)
        assert done.returncode not in (0, None), f"knarr {args} succeeded"
        assert done.returncode > 0, f"knarr {args} died of signal {-done.returncode}"
        assert done.stderr.strip(), f"knarr {args} failed without a word"
        return done.stderr

    def state(self, container):
        return json.loads(self.ok("state", container).stdout)

    def status(self, container):
        return self.state(container)["status"]

    def processes(self):
        """The pids of everything that was started by this test and still lives."""
        mine = f"{TOKEN_VARIABLE}={self.token}".encode()
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != os.getpid():
                try:
                    # Most processes are not ours: the least that tells so is read.
                    if mine not in pathlib.Path("/proc", entry, "environ").read_bytes() and \
                            self.token.encode() not in pathlib.Path("/proc", entry, "cmdline").read_bytes():
                        continue
                    stat = pathlib.Path("/proc", entry, "stat").read_text()
                except OSError:
                    continue
                if stat.rpartition(")")[2].split()[0] not in "ZX":
                    found.append(int(entry))
        return found

    def cgroups(self):
        return [path for path, names, _ in os.walk("/sys/fs/cgroup")
                if self.token in os.path.basename(path)]

    def mounts(self):
        lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        return [line for line in lines if self.token in line or str(self.directory) in line]

    def entries(self):
        """The containers, and the names that none of them has."""
        if not self.root.exists():
            return []
        names = self.root / ".names"
        stale = [f".names/{name.name}" for name in names.iterdir()
                 if name.is_symlink() and not (self.root / os.readlink(name)).exists()] if names.exists() else []
        return sorted({entry for entry in os.listdir(self.root)} - {".lock", ".names"}) + stale

    def leftovers(self):
        left = {"processes": self.processes(), "cgroups": self.cgroups(), "mounts": self.mounts(),
                "state": self.entries()}
        return {kind: what for kind, what in left.items() if what}

    def assert_clean(self):
        """A process that was just told to end may need a moment; nothing else may."""
        try:
            wait_until(lambda: not self.processes(), "processes are left")
        except AssertionError:
            self.kill_leftovers()
            raise
        assert self.leftovers() == {}

    def destroy(self):
        for container in self.entries():
            self.knarr("delete", "--force", container)

    def kill_leftovers(self):
        """After a test that found processes left, so that the machine does not keep them."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


def wait_until(condition, what, seconds=20):
    """Waits for what has no descriptor to wait on (a file's content, a process of others)."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def alive(pid):
    try:
        stat = pathlib.Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
