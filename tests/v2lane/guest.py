"""Runs inside the virtual machine, as a service of systemd: one step after the other, and reports.

A report is a line of JSON on the virtio-serial port "knarr"; tests/v2lane/run reads them.
"""

import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import steps

OUTPUT_BYTES = 60_000  # of a step's output go out


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


def environment():
    more = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "KNARR_BIN_DIR": f"{steps.PROJECT}/build/release/bin", "KNARR_WITNESS": f"{steps.BIN}/witness",
            "LD_LIBRARY_PATH": f"{steps.PROJECT}/build/lib", "XDG_CACHE_HOME": f"{steps.PROJECT}/cache"}
    return {**os.environ, **more}


def run(step):
    """(status, None after the timeout; its output)."""
    pathlib.Path(steps.REPORT).unlink(missing_ok=True)
    output = pathlib.Path("/run/knarr-step.log")
    with output.open("wb") as out:
        process = subprocess.Popen(step.command, cwd=steps.PROJECT, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, env=environment(), start_new_session=True)
        try:
            status = process.wait(step.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = None
    return status, output.read_bytes()[-OUTPUT_BYTES:].decode(errors="replace")


def main():
    port = channel()
    words = dict(word.partition("=")[::2] for word in pathlib.Path("/proc/cmdline").read_text().split())
    filesystem = subprocess.run(["stat", "-f", "-c", "%T", "/sys/fs/cgroup"], capture_output=True,
                                text=True).stdout.strip()
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    init = pathlib.Path("/proc/1/comm").read_text().strip()
    tell(port, event="up", kernel=os.uname().release, init=init, cgroup=filesystem, controllers=controllers)
    chosen = json.loads(pathlib.Path(steps.PROJECT, "chosen.json").read_text())
    todo = [steps.pytest("chosen", 1200, *chosen)] if chosen else steps.PARTS[words["knarr.part"]]
    for step in todo:
        print(f"knarr's tests: {step.name}", flush=True)
        start = time.monotonic()
        status, output = run(step)
        report = pathlib.Path(steps.REPORT)
        tell(port, event="step", name=step.name, status=status, seconds=round(time.monotonic() - start),
             output=output, wants_report=step.report,
             report=report.read_text() if step.report and report.exists() else None)
    tell(port, event="done")


main()
