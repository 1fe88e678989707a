"""The row of tools/bench about containers of images: beside podman, and what their monitors cost."""

import fcntl
import json
import os
import pathlib
import pty
import shutil
import signal
import statistics
import struct
import subprocess
import termios
import time

import measure
from pull_row import sha256_of, write_image

LINE = b"a line of a log as programs write it, which has about one hundred characters with its end, so 99\n"
RESIZED = "trap 'busybox stty size' WINCH; echo ready; while :; do sleep 1000 & wait $!; done"
STOPS = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"


class EngineRow:
    """Mixed into tools/bench's Bench: options, work, states, figures."""

    def row_engine(self):
        missing = [name for name in ("podman", "conmon", "busybox") if not shutil.which(name)]
        if missing:
            print(f"LEFT OUT: engine: {' '.join(missing)} not installed (tools/deps test)")
            return
        store = self.work / "store-engine"
        store.mkdir(mode=0o700)
        self.tools = {
            "knarr": [measure.KNARR, "--root", self.states / "engine", "--data-root", store / "knarr"],
            "podman": ["podman", "--root", store / "podman", "--runroot", store / "run", "--storage-driver", "overlay",
                       "--cgroup-manager", "cgroupfs"]}
        layout = self.make_image(64 if self.options.quick else 512)
        for tool in self.tools.values():
            subprocess.run([*tool, "pull", "-q", f"oci:{layout}:bench"], check=True, stdout=subprocess.DEVNULL)
        self.image = subprocess.run([*self.tools["podman"], "images", "-q"], check=True, capture_output=True,
                                    text=True).stdout.split()[0]
        try:
            self.beside_podman()
            self.monitor_memory()
            self.log_rate()
            self.stop_time()
            self.resize_time()
            self.many(30 if self.options.quick else 200)
            self.cycles(100 if self.options.quick else 1000)
        finally:
            for name, words in (("knarr", ["rm", "-f"]), ("podman", ["rm", "-f", "-t", "0"])):
                ids = self.output(name, "ps", "-aq").split()
                if ids:
                    subprocess.run([*self.tools[name], *words, *ids], check=False, stdout=subprocess.DEVNULL)

    def make_image(self, log_mib):
        """Static programs and a shell; beside it a file to be logged."""
        tree = self.work / "tree-engine"
        (tree / "bin").mkdir(parents=True)
        (tree / "tmp").mkdir()
        shutil.copy(measure.HELPERS / "bench_true", tree / "true")
        shutil.copy(measure.HELPERS / "bench_pause", tree / "pause")
        shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
        for name in ("sh", "sleep", "cat"):
            (tree / "bin" / name).symlink_to("busybox")
        self.log = self.work / "log"
        self.log.write_bytes(LINE * ((log_mib << 20) // len(LINE)))
        layer = self.work / "layer-engine"
        subprocess.run(["tar", "-C", tree, "-cf", layer, "."], check=True)
        write_image(self.work / "layout-engine", [(layer, sha256_of(layer))], "tar")
        return self.work / "layout-engine"

    def run_words(self, name, *options):
        """`run` with nothing but loopback, which is knarr's default, and limits that any root may set."""
        limits = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
        return [*self.tools[name], "run", "--network", "none", *(limits if name == "podman" else []), *options]

    def output(self, name, *words):
        return subprocess.run([*self.tools[name], *words], check=True, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL).stdout

    def launch(self, name, *command, options=()):
        words = self.run_words(name, "-d", *options, self.image, *command)
        return subprocess.run(words, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()

    def beside_podman(self):
        rounds = max(5, self.options.rounds // 4)
        rows = (("run --rm IMAGE true", "run --rm to podman", ["--rm", self.image, "/true"]),
                ("run -d until the prompt", "run -d to podman", ["-d", self.image, "/true"]))
        for title, figure, words in rows:
            commands = {name: [self.run_words(name, *words)] for name in self.tools}
            self.figures[figure] = measure.table(title, measure.pairs(commands, rounds))["podman"]
        ids = {name: self.launch(name, "/pause") for name in self.tools}
        commands = {name: [[*tool, "exec", ids[name], "/true"]] for name, tool in self.tools.items()}
        self.figures["exec to podman"] = measure.table("exec of true", measure.pairs(commands, rounds))["podman"]

    def monitor_memory(self):
        """Of a container of each that runs already and rests."""
        time.sleep(2)
        monitors = [memory_of(pid) for pid in processes("knarr-monitor", self.states)]
        conmon = [memory_of(pid) for pid in processes("conmon", self.work)]
        private = max(one["private"] for one in monitors)
        together = sum(one["Rss"] for one in monitors) / 1024
        print(f"\nmemory, KiB: {'private':>9}{'RSS':>8}{'PSS':>8}")
        for name, all_of in (("knarr-monitor", monitors), ("conmon", conmon)):
            for one in all_of:
                print(f"  {name:13}{one['private']:8}{one['Rss']:8}{one['Pss']:8}")
        self.figures["monitor, private, MiB"] = private / 1024
        self.figures["monitors of a container, RSS, MiB"] = together
        for sort in ("Rss", "Pss"):
            self.figures[f"monitors of a container, {sort.upper()}, to one conmon"] = (
                sum(one[sort] for one in monitors) / min(one[sort] for one in conmon))

    def log_rate(self):
        """A container that writes as fast as it can, beside a pipe into a file; both from the same file."""
        size, ratios, differ = self.log.stat().st_size, [], 0
        words = ("sh", "-c", "sleep 0.3; cat /log; echo over >&2; exec sleep 1000")
        self.output("knarr", "rm", "-f", self.logged(words)[0])  # warms up
        for _ in range(1 if self.options.quick else 5):
            container, logged = self.logged(words)
            piped = self.work / "piped"
            piped.unlink(missing_ok=True)
            start = time.monotonic()
            subprocess.run(f"busybox cat {self.log} | busybox cat > {piped}", shell=True, check=True)
            ratios.append((time.monotonic() - start) / logged)
            read = subprocess.run("set -o pipefail; " + " ".join(map(str, self.tools["knarr"])) + f" logs {container} 2>/dev/null | "
                                  f"cmp - {self.log}", shell=True, executable="/bin/bash", check=False).returncode
            differ = max(differ, read)  # the worst round's
            self.output("knarr", "rm", "-f", container)
        self.figures["log rate to a plain pipe's"] = statistics.median(ratios)
        self.figures["log, differs"] = differ
        print(f"\nlog of {size >> 20} MiB: {statistics.median(ratios):.2f} of the rate through a pipe into a file "
              f"({min(ratios):.2f} to {max(ratios):.2f}); "
              f"{'the same bytes' if differ == 0 else 'OTHER BYTES'}")

    def logged(self, words):
        """A container of them, and the seconds from the first byte in its log to the last one."""
        container = self.launch("knarr", *words, options=["-v", f"{self.log}:/log:ro"])
        log = pathlib.Path(json.loads(self.output("knarr", "inspect", container))[0]["LogPath"])
        while not log.exists() or log.stat().st_size == 0:
            time.sleep(0.0005)
        start = time.monotonic()
        with log.open("rb") as file:
            while os.pread(file.fileno(), 5, max(log.stat().st_size - 5, 0)) != b"over\n":
                time.sleep(0.002)
        return container, time.monotonic() - start

    def stop_time(self):
        """`stop` of a container that ends at once."""
        spent = []
        for _ in range(max(5, self.options.rounds // 6)):
            container = self.launch("knarr", "sh", "-c", STOPS)
            while "trap" not in self.output("knarr", "top", container, "-o", "pid,args"):
                time.sleep(0.01)
            time.sleep(0.1)  # the shell sets its trap
            start = time.monotonic()
            self.output("knarr", "stop", container)
            spent.append((time.monotonic() - start) * 1000)
            self.output("knarr", "rm", container)
        self.figures["stop, ms"] = max(spent)
        print(f"\nstop of one that ends at TERM: {statistics.median(spent):.1f} ms, at most {max(spent):.1f}")

    def resize_time(self):
        """From the change of our terminal's size to what a program prints that looks at its own then."""
        command = [str(word) for word in [*self.tools["knarr"], "run", "-it", self.image, "sh", "-c", RESIZED]]
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(command[0], command)
        try:
            read_until(terminal, b"ready")
            spent = []
            for rows in range(30, 30 + max(10, self.options.rounds // 3)):
                start = time.monotonic()
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 99, 0, 0))
                read_until(terminal, f"{rows} 99".encode())
                spent.append((time.monotonic() - start) * 1000)
                time.sleep(0.02)  # the shell waits again
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)
        self.figures["resize, ms"] = statistics.median(spent)
        print(f"\nresize until a program has seen it: {statistics.median(spent):.1f} ms, at most {max(spent):.1f}")

    def many(self, count):
        """So many containers at rest."""
        there = set(self.output("knarr", "ps", "-q", "--no-trunc").split())
        wanted = {self.launch("knarr", "/pause") for _ in range(count)}
        runs = measure.timer("pairs", 10, 0, {"ps": [[*self.tools["knarr"], "ps"]]})["ps"]
        shown = len(self.output("knarr", "ps", "-q").split())
        pids = processes("knarr-monitor", self.states)
        before, start = ticks_of(pids), time.monotonic()
        time.sleep(3 if self.options.quick else 20)
        used = (ticks_of(pids) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start) * 100
        pss = sum(memory_of(pid)["Pss"] for pid in pids) / 1024
        self.figures["ps of many containers, ms"] = statistics.median(run.ms for run in runs)
        self.figures["CPU of many monitors at rest, %"] = used
        # Asked for last: those that have died meanwhile are missing, too.
        running = set(self.output("knarr", "ps", "-q", "--no-trunc").split()) - there
        self.figures["containers missing"] = len(wanted - running) + count - len(wanted)
        print(f"\n{count} containers ({shown} shown by ps): ps {self.figures['ps of many containers, ms']:.1f} ms, "
              f"{len(pids)} monitors use {used:.2f} % CPU and {pss:.0f} MiB (PSS)")
        for container in self.output("knarr", "ps", "-q").split():
            self.output("knarr", "rm", "-f", container)

    def cycles(self, count):
        """Run and removed again and again: what is more afterwards than before."""
        def run_and_rm():
            self.output("knarr", "rm", "-f", self.launch("knarr", "/true"))

        for title, cycle in (("run --rm", lambda: self.output("knarr", "run", "--rm", self.image, "/true")),
                             ("run -d and rm", run_and_rm)):
            for _ in range(20):
                cycle()  # the kernel's own caches have been filled
            before, held = self.leftovers(), kernel_holds()
            for _ in range(count):
                cycle()
            grown, more = {}, {}
            for _ in range(40):  # the kernel takes network namespaces and cgroups apart later
                grown = {name: number - before[name] for name, number in self.leftovers().items()
                         if number > before[name]}
                more = {name: number - held[name] for name, number in kernel_holds().items()}
                if not grown and more["kernel memory, MiB"] <= 1:
                    break
                time.sleep(0.5)
            self.figures[f"grown by {title}"] = sum(grown.values())
            self.figures.update({f"grown by {title}, {name}": number for name, number in more.items()})
            told = ", ".join(f"{name} {number:+.1f}" for name, number in more.items())
            print(f"\n{count} times {title}: {grown or 'nothing is more than before'}; of the whole machine {told}")

    def leftovers(self):
        roots = [pathlib.Path(self.tools["knarr"][i]) for i in (2, 4)]
        return {"mounts": len(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()),
                "cgroups": sum(len(dirs) for _, dirs, _ in os.walk("/sys/fs/cgroup")),
                # The log of events has two files at most, of which the second comes when the first is full.
                "files": sum(len(dirs) + len(files) for root in roots for place, dirs, files in os.walk(root)
                             if not place.endswith("/.events")),
                "network namespaces": network_namespaces(),
                "monitors": len(processes("knarr-monitor", self.states))}


def network_namespaces():
    """Those that processes are in; what a mount or a descriptor alone holds is counted as that."""
    found = set()
    for entry in pathlib.Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(os.readlink(entry))
        except OSError:
            continue  # it has ended meanwhile
    return len(found)


def kernel_holds():
    """Of the whole machine, so that others count, too: open files, and what cannot be given back."""
    memory = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    kib = sum(int(memory[name].split()[0]) for name in ("SUnreclaim", "Percpu"))
    return {"open files": int(pathlib.Path("/proc/sys/fs/file-nr").read_text().split()[0]),
            "kernel memory, MiB": kib / 1024}


def read_until(terminal, wanted):
    """Of a terminal; ends the measurement where it does not come."""
    text, end = b"", time.monotonic() + 20
    while wanted not in text:
        if time.monotonic() > end:
            raise TimeoutError(f"{wanted!r} is not in {text!r}")
        text += os.read(terminal, 4096)


def processes(name, place):
    """The pids of programs of that name with a path below `place` among their arguments."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].rpartition(b"/")[2] == name.encode() and any(str(place).encode() in word for word in words[1:]):
            found.append(int(entry.parent.name))
    return found


def memory_of(pid):
    """KiB of smaps_rollup."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    memory = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    memory["private"] = memory["Private_Clean"] + memory["Private_Dirty"]
    return memory


def ticks_of(pids):
    """CPU time of all of them together, in clock ticks."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total
