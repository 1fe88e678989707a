"""Runs inside the virtual machine, as a service of systemd: the steps, as many at once as it has CPUs.

A report is a line of JSON on the virtio-serial port "knarr"; tests/v2lane/run reads them.
"""

import concurrent.futures
import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import steps

OUTPUT_BYTES = 60_000  # of a step's output go out
TELLING = threading.Lock()  # reports do not mix


def channel():
    for name in glob.glob("/sys/class/virtio-ports/*/name"):
        path = pathlib.Path(name)
        if path.read_text().strip() == "knarr":
            return os.open(f"/dev/{path.parent.name}", os.O_WRONLY)
    sys.exit("no port named knarr")


def tell(port, **what):
    data = json.dumps(what).encode() + b"\n"
    while data:
        data = data[os.write(port, data):]


def environment(step):
    more = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "KNARR_BIN_DIR": f"{steps.PROJECT}/build/release/bin", "KNARR_WITNESS": f"{steps.BIN}/witness",
            "LD_LIBRARY_PATH": f"{steps.PROJECT}/build/lib", "XDG_CACHE_HOME": f"{steps.PROJECT}/cache"}
    return {**os.environ, **more, **step.environment}


class Queue:
    """Gives out steps so that no two at once use what only one of them can have."""

    def __init__(self, todo):
        self.todo, self.used, self.changed = list(todo), set(), threading.Condition()

    def take(self):
        with self.changed:
            while self.todo:
                for step in self.todo:
                    if self.used.isdisjoint(step.uses):
                        self.todo.remove(step)
                        self.used.update(step.uses)
                        return step
                self.changed.wait()
        return None

    def give_back(self, step):
        with self.changed:
            self.used.difference_update(step.uses)
            self.changed.notify_all()


def run(step, patience):
    """What is told of a step: its status (None after its time), its output and report."""
    report, output = (pathlib.Path(f"/run/knarr-{step.name}.{kind}") for kind in ("xml", "log"))
    start = time.monotonic()
    with output.open("wb") as out:
        process = subprocess.Popen(step.words(report), cwd=steps.PROJECT,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   env=environment(step), start_new_session=True)
        try:
            status = process.wait(step.seconds * patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = None
    return {"name": step.name, "status": status, "seconds": round(time.monotonic() - start),
            "output": output.read_bytes()[-OUTPUT_BYTES:].decode(errors="replace"),
            "wants_report": bool(step.report),
            "report": report.read_text() if step.report and report.exists() else None}


def work(queue, port, patience):
    while step := queue.take():
        print(f"knarr's tests: {step.name}", flush=True)
        told = run(step, patience)
        queue.give_back(step)
        with TELLING:
            tell(port, event="step", **told)


def main():
    port = channel()
    words = dict(word.partition("=")[::2] for word in pathlib.Path("/proc/cmdline").read_text().split())
    filesystem = subprocess.run(["stat", "-f", "-c", "%T", "/sys/fs/cgroup"], capture_output=True,
                                text=True).stdout.strip()
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    init = pathlib.Path("/proc/1/comm").read_text().strip()
    tell(port, event="up", kernel=os.uname().release, init=init, cgroup=filesystem, controllers=controllers)
    chosen = json.loads(pathlib.Path(steps.PROJECT, "chosen.json").read_text())
    todo = steps.choose(words["knarr.part"], **chosen)
    queue = Queue(todo)
    cpus = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(cpus) as pool:
        for worker in [pool.submit(work, queue, port, float(words["knarr.patience"])) for _ in range(cpus)]:
            worker.result()
    tell(port, event="done")


main()
