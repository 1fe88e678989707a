"""knarr killed at times spread evenly over its work, as the machine's memory or a person does it: one
`delete --force` removes all that is left, and the ID serves again. Needs no fault points.

KNARR_KILL_SECONDS says how long each verb is killed."""

import math
import os
import random
import signal
import subprocess
import time

import pytest

SECONDS = float(os.environ.get("KNARR_KILL_SECONDS", "8"))
SAMPLES = 5


@pytest.fixture
def bundle(host):
    """With what can be left: a cgroup with limits, a volume, a network namespace, hooks."""
    bundle = host.bundle("wait-signal")
    volume = host.directory / "volume"
    volume.mkdir()
    bundle.config["mounts"].append({"destination": "/v", "type": "bind", "source": str(volume),
                                    "options": ["rbind", "ro"]})
    bundle.config["linux"]["resources"] = {"pids": {"limit": 50}}
    for point in ("createRuntime", "poststop"):
        bundle.hook(point, "/bin/true")
    return bundle


class Killer:
    """Runs a command and kills it after a part of the time that it takes when it is left alone."""

    def __init__(self, host, prepare, command, clean):
        self.host, self.prepare, self.command, self.clean = host, prepare, command, clean
        self.spent = sorted(self.time_one() for _ in range(SAMPLES))[SAMPLES // 2]
        self.tried = self.killed = 0

    def time_one(self):
        container = self.host.new_id()
        self.prepare(container)
        start = time.monotonic()
        self.host.ok(*self.command(container))
        spent = time.monotonic() - start
        self.clean(container)
        return spent

    def kill_at(self, part):
        """Returns the container's ID."""
        container = self.host.new_id()
        self.prepare(container)
        process = self.host.start_process(*self.command(container), stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
        try:
            process.wait(self.spent * part)
        except subprocess.TimeoutExpired:
            process.kill()
        self.tried += 1
        self.killed += process.wait() == -signal.SIGKILL
        return container

    def victims(self):
        """IDs of containers whose command was killed: at moments that fill its time the more evenly
        the more there are (multiples of the golden section), a little beyond its end as well."""
        part, end = random.random(), time.monotonic() + SECONDS
        while time.monotonic() < end or self.tried < 10:
            part = math.modf(part + (math.sqrt(5) - 1) / 2)[0]
            yield self.kill_at(1.3 * part)
        assert self.killed >= self.tried / 10, "knarr was too fast to be met"


def check_recovery(host, bundle, container):
    host.ok("delete", "--force", container)
    host.assert_clean()
    host.ok("create", "-b", bundle.directory, container)
    assert host.status(container) == "created"
    host.ok("delete", "--force", container)
    host.assert_clean()


def nothing(_):
    pass


def test_create(host, bundle):
    killer = Killer(host, nothing, lambda one: ["create", "-b", bundle.directory, one],
                    lambda one: host.ok("delete", "--force", one))
    for container in killer.victims():
        check_recovery(host, bundle, container)


def test_run(host, bundle):
    killer = Killer(host, nothing, lambda one: ["run", "--detach", "-b", bundle.directory, one],
                    lambda one: host.ok("delete", "--force", one))
    for container in killer.victims():
        check_recovery(host, bundle, container)


def test_start(host, bundle):
    killer = Killer(host, lambda one: host.ok("create", "-b", bundle.directory, one),
                    lambda one: ["start", one], lambda one: host.ok("delete", "--force", one))
    for container in killer.victims():
        assert host.status(container) in ("created", "running")
        check_recovery(host, bundle, container)


def test_delete(host, bundle):
    killer = Killer(host, lambda one: host.ok("run", "-d", "-b", bundle.directory, one),
                    lambda one: ["delete", "--force", one], nothing)
    for container in killer.victims():
        check_recovery(host, bundle, container)


def test_exec(host, bundle):
    container = host.new_id()
    host.ok("run", "-d", "-b", bundle.directory, container)
    killer = Killer(host, nothing, lambda _: ["exec", container, "/witness", "exit", "0"], nothing)
    for _ in killer.victims():
        assert host.status(container) == "running"
    assert host.knarr("exec", container, "/witness", "exit", "4").returncode == 4
    check_recovery(host, bundle, container)
