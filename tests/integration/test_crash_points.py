"""SIGKILL at every journalled step of create, start, stop, restart and rm, then recovery: what was asked for
works, and of processes, network namespaces, mounts, cgroups, sockets, files and descriptors are as many as before.

The table says which step each verb goes through. It is compared with the sources, so that no point is forgotten,
and with a run of each verb, so that no step of one is. Needs a build with KNARR_FAULTS: KNARR_FAULT_BIN, else
build/dev/bin/knarr."""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import background
import images
from background import layout  # fixture
from conftest import ROOT
from oci import Bundle, wait_until
from test_oci_faults import points

pytestmark = pytest.mark.usefixtures("needs_root")

LAUNCH = ["place.looked_at", "layer.mount", "create.made", "create.recorded", "create.data", "background.streams", "create.gate",
          "launch.cloned", "launch.cgroup", "launch.ready", "create.child", "launch.recorded", "create.ready", "run.gate"]
STOP = ["stop.begun", "stop.signalled", "stop.killed"]
CLEAR = ["delete.killed", "delete.unit", "delete.cgroup"]
# Where a monitor dies when the verb is another's: both die, one after the other, and the verb or recover goes on.
OF_THE_MONITOR = ["monitor.ended", *CLEAR, "monitor.recorded", "log.spooled"]

STEPS = {
    "create": ["place.looked_at", "layer.mount", "create.recorded", "run_image.data", "create.data"],
    "start": LAUNCH,
    "start -t": ["background.terminal"],
    "stop": ["place.looked_at", *STOP],
    "restart": [*STOP, *LAUNCH],
    "rm": ["place.looked_at", *CLEAR, "delete.hooks", "delete.data"],
    "create --bundle": [one for one in LAUNCH if one not in ("run.gate", "background.streams", "layer.mount", "place.looked_at")]
                       + ["create.done"],
    "start of a bundle": ["start.gate", "start.recorded"],
}
MONITORS = {"stop": OF_THE_MONITOR, "restart": OF_THE_MONITOR}  # rm lets them find nothing any more
# What a launcher, a monitor or systemd's way alone goes through stands in other tests: log.* while it writes and
# rotates in test_monitor_killed.py, unit.* in test_systemd_cgroup.py, what --replace does in test_podman_choices.py.
ELSEWHERE = {"run_image.replaced", "log.placed", "log.written", "log.emptied", "log.rotate"}
BUNDLED = ("create --bundle", "start of a bundle")


def test_no_point_is_forgotten():
    journalled = points("create", "launch", "run", "run_image", "background", "start", "stop", "delete", "monitor", "log")
    assert len(journalled) > 30
    tried = {point for table in (STEPS, MONITORS) for steps in table.values() for point in steps}
    assert set(journalled) - tried == ELSEWHERE


LOCK, CLIENTS = threading.Lock(), set()


class Client(subprocess.Popen):
    """One that we started and wait for."""

    def __init__(self, *words, **options):
        with LOCK:
            super().__init__(*words, **options)
            CLIENTS.add(self.pid)


def relatives():
    """The descendants of this process that live, and those that are dead: who has lost its parent comes to us."""
    parents, dead = {}, []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(words[1]), []).append(int(entry))
        if words[0] in "ZX":
            dead.append(int(entry))
    found, ask = [], [os.getpid()]
    while ask:
        children = parents.get(ask.pop(), [])
        found += children
        ask += children
    return [pid for pid in found if pid not in dead], [pid for pid in dead if pid in found]


class Machine(background.Host):
    """A host that sees all that it leaves: its processes, whoever made them, are below this one."""

    def __init__(self, knarr, scratch):
        super().__init__(knarr, scratch)
        self.killed, self.ids = [], set()

    def reap(self):
        """Buries those who lost their parent, as init does at once. `killed`: who died of SIGKILL."""
        with LOCK:
            for pid in set(relatives()[1]) - CLIENTS:
                try:
                    name = pathlib.Path("/proc", str(pid), "comm").read_text().strip()
                    status = os.waitpid(pid, os.WNOHANG)[1]
                except (ChildProcessError, FileNotFoundError):
                    continue  # its parent has seen to it
                if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                    self.killed.append(name)

    def note_ids(self):
        places = [self.root, self.data / "containers"]
        self.ids |= {path.name for place in places if place.exists() for path in place.iterdir()
                     if re.fullmatch(r"[0-9a-f]{64}|bundle\d+", path.name)}

    def seen(self):
        pids = relatives()[0]
        links = []
        for pid in [os.getpid(), *pids]:
            try:
                links.append((pid, "ns/net", os.readlink(f"/proc/{pid}/ns/net")))
                links += [(pid, fd, os.readlink(f"/proc/{pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{pid}/fd")]
            except OSError:
                pass
        files = []
        for place, folders, names in os.walk(self.scratch):
            folders[:] = [name for name in folders if name not in ("blobs", "layers", "leases", "base", "rootfs")]
            files += [os.path.join(place, name) for name in (*folders, *names)]
        mine = str(self.scratch)
        return {
            "processes": set(pids),
            "network namespaces": {text for _, name, text in links if name == "ns/net" or text.startswith("net:")},
            "descriptors": sum(name != "ns/net" for _, name, _ in links),
            "mounts": {line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if mine in line},
            "sockets": {line.split()[-1] for line in pathlib.Path("/proc/net/unix").read_text().splitlines() if mine in line},
            "cgroups": {path for path, _, _ in os.walk("/sys/fs/cgroup") if any(one in os.path.basename(path) for one in self.ids)},
            "files": set(files),
        }

    def assert_as(self, before):
        after = {}

        def same():
            after.update(self.seen())
            return after == before
        try:
            wait_until(same, "something is left")
        except AssertionError:
            raise AssertionError({kind: after[kind] if kind == "descriptors" else after[kind] ^ before[kind]
                                  for kind in after if after[kind] != before[kind]}) from None


@pytest.fixture(scope="module")
def machine(breakable_knarr, layout):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="knarr-it-"))
    machine = Machine(breakable_knarr, scratch)
    libc, over, popen = ctypes.CDLL(None), threading.Event(), subprocess.Popen
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    subprocess.Popen = Client

    def bury():
        while not over.wait(0.01):
            machine.reap()
    reaper = threading.Thread(target=bury)
    reaper.start()
    machine.good("pull", "-q", layout)
    machine.good("run", "-d", "-q", "--name", "first", "localhost/box")
    machine.good("rm", "-f", "first")
    wait_until(lambda: not relatives()[0], "monitors are left")
    yield machine
    machine.end()
    machine.good("image", "gc")
    assert not list((machine.data / "leases").iterdir())  # of the killed ones: only gc looks at them
    over.set()
    reaper.join()
    subprocess.Popen = popen
    libc.prctl(36, 0, 0, 0, 0)
    shutil.rmtree(scratch)


@pytest.fixture
def bundle(machine, witness_path):
    """A bundle that may be used; whatever a test leaves that failed does not fail the next."""
    directory = machine.scratch / "bundle"
    yield Bundle(directory, witness_path, "crash", "wait-signal").directory
    for one in machine.containers():
        machine.run("rm", "-f", one["id"])
    machine.run("image", "gc")
    for pid in relatives()[0]:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(directory)


def words_of(verb, bundle):
    return {"create": ["create", "-q", "--name", "ship", "localhost/box"], "start": ["start", "ship"],
            "start -t": ["start", "ship"], "stop": ["stop", "-t", "0", "ship"], "restart": ["restart", "-t", "0", "ship"],
            "rm": ["rm", "-f", "ship"], "create --bundle": ["create", "-b", bundle, "bundle1"],
            "start of a bundle": ["start", "bundle1"]}[verb]


def prepare(machine, verb, bundle, fault=None):
    """What the verb finds; `fault` is its monitors'."""
    if verb in ("start", "start -t"):
        machine.good("create", "-q", *(["-t"] if "-t" in verb else []), "--name", "ship", "localhost/box", "sleep", "1000")
    elif verb in ("stop", "restart", "rm"):
        machine.run("run", "-d", "-q", "--name", "ship", "localhost/box", "sleep", "1000", fault=fault,
                    capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        machine.inspect("ship")
    elif verb == "start of a bundle":
        machine.run(*words_of("create --bundle", bundle), capture_output=False, stdout=subprocess.DEVNULL)


def found_there(machine):
    return [(one["id"], one["status"], one.get("pid", 0)) for one in machine.containers()]


def check_as_asked(machine, verb, bundle):
    """After recovery the verb has been carried out or not; done again, it is."""
    wait_until(lambda: all(status != "creating" for _, status, _ in found_there(machine)), "it is still in the making")
    before = found_there(machine)
    assert len(before) <= 1, "a stranger"
    for name, status, pid in before:
        assert bool(pid) == (status == "running" or status == "created" and verb in BUNDLED), (name, status, pid)
        if verb.startswith("create"):
            machine.good("rm", "-f", name)
        if verb == "rm":
            assert status != "created"
    words = words_of(verb, bundle)
    if before or verb != "rm":
        done = machine.run(*words, capture_output=False, stdout=subprocess.DEVNULL)
        # Of a bundle nobody but the next start sees that its program runs: only the record says `created`.
        assert done.returncode == 0 or verb == "start of a bundle"
    wanted = {"create": ["created"], "create --bundle": ["created"], "stop": ["stopped"], "rm": []}.get(verb, ["running"])
    assert [status for _, status, _ in found_there(machine)] == wanted


def recover_and_check(machine, verb, bundle, before):
    machine.note_ids()
    done = machine.run("recover")
    assert done.returncode == 0, done.stdout + done.stderr
    check_as_asked(machine, verb, bundle)
    for one in machine.containers():
        machine.good("rm", "-f", one["id"])
    machine.assert_as(before)


@pytest.mark.parametrize("verb, point", [(verb, point) for verb, steps in STEPS.items() for point in steps])
def test_killed_at_a_step(machine, bundle, verb, point):
    before = machine.seen()
    prepare(machine, verb, bundle)
    machine.note_ids()
    done = machine.run(*words_of(verb, bundle), fault=f"{point}=kill")
    assert done.returncode != 0, "it does not come there"
    recover_and_check(machine, verb, bundle, before)


@pytest.mark.parametrize("verb, point", [(verb, point) for verb, steps in MONITORS.items() for point in steps])
def test_its_monitors_killed_at_a_step(machine, bundle, verb, point):
    before = machine.seen()
    machine.killed.clear()
    prepare(machine, verb, bundle, fault=f"{point}=kill")
    machine.note_ids()
    began = time.monotonic()
    machine.run(*words_of(verb, bundle), capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert time.monotonic() - began < 8, "it waits for the dead"  # 1 s; it was 10 s
    recover_and_check(machine, verb, bundle, before)
    assert "knarr-monitor" in machine.killed, "no monitor comes there"


@pytest.mark.parametrize("verb", STEPS)
def test_a_verb_goes_through_no_other_steps(machine, bundle, verb):
    own, watching = machine.scratch / "own", machine.scratch / "watching"
    before = machine.seen()
    prepare(machine, verb, bundle, fault=f"note:{watching}")
    made = set(watching.read_text().split()) if watching.exists() else set()
    machine.note_ids()
    machine.run(*words_of(verb, bundle), fault=f"note:{own}", capture_output=False, stdout=subprocess.DEVNULL)
    met = set(own.read_text().split())
    for one in machine.containers():
        machine.good("rm", "-f", one["id"])
    wait_until(lambda: not machine.monitors(), "monitors are left")
    own.unlink()
    known = set(STEPS[verb]) | (set(LAUNCH) if verb == "start -t" else set()) | ELSEWHERE | {"log.spooled", "place.looked_at"}
    assert met <= known and len(met) > 1
    if verb in MONITORS:
        assert set(watching.read_text().split()) - made <= set(MONITORS[verb]) | ELSEWHERE
    watching.unlink(missing_ok=True)
    machine.assert_as(before)
