"""The rows of tools/bench that start containers."""

import statistics
import subprocess
import sys

import bundles
import measure

TRUE = measure.HELPERS / "bench_true"
BARE = measure.HELPERS / "bench_bare"
MIB, PAGE = 1 << 20, 4096


class LaunchRows:
    """Mixed into tools/bench's Bench: options, work, states, runtimes, figures."""

    def bundle(self, name):
        kinds = {"plain": {"seccomp": False, "limits": False}, "limits": {"seccomp": False, "limits": True},
                 "podman": {"seccomp": True, "limits": True},
                 "pause": {"seccomp": True, "limits": True, "args": ["/pause"]}}
        folder = self.work / name
        if not folder.exists():
            bundles.make(folder, TRUE, **kinds[name])
        return folder

    def runtime(self, name):
        return [self.runtimes[name], "--root", self.states / name.replace(" ", "-")]

    def run_command(self, name, bundle, id="bench"):
        return [*self.runtime(name), "run", "--bundle", bundle, id]

    def launch_row(self, title, kind, rest_ms=0, rounds=None):
        bundle = self.bundle(kind)
        commands = {name: [self.run_command(name, bundle)] for name in self.runtimes}
        commands["bare C"] = [[BARE, bundle, "", "/true"]]
        commands["bare C, cgroups"] = [[BARE, bundle, "knarr-bench-bare", "/true"]]
        return measure.table(title, measure.pairs(commands, rounds or self.options.rounds, rest_ms))

    def note(self, figure, ratios, name):
        """Keeps a ratio for BOUNDS, where that runtime is here."""
        if name in ratios:
            self.figures[figure] = ratios[name]

    def row_run(self):
        ratios = self.launch_row("run of a static true: podman's config without seccomp and limits", "plain")
        self.note("run to bare C", ratios, "bare C")
        self.note("run to bare C with cgroups", ratios, "bare C, cgroups")

    def row_limits(self):
        self.launch_row("the same with cgroup limits", "limits")

    def row_run_sec(self):
        ratios = self.launch_row("run of a static true: the config and seccomp profile that podman writes", "podman")
        self.note("run, podman's config, to Debian's crun", ratios, measure.oldest(self.runtimes, "crun"))
        self.note("run, podman's config, to the newest crun", ratios, measure.newest(self.runtimes, "crun"))

    def row_rest(self):
        ratios = self.launch_row("the same, each after a second of rest", "podman", 1000,
                                 max(5, self.options.rounds // 4))
        self.note("run after a rest to the newest crun", ratios, measure.newest(self.runtimes, "crun"))

    def row_verbs(self):
        bundle = self.bundle("podman")
        commands = {name: [[*self.runtime(name), "create", "--bundle", bundle, "verbs"],
                           [*self.runtime(name), "start", "verbs"],
                           [*self.runtime(name), "delete", "--force", "verbs"]] for name in self.runtimes}
        ratios = measure.table("create, start and delete", measure.pairs(commands, self.options.rounds))
        self.note("create, start, delete to the newest crun", ratios, measure.newest(self.runtimes, "crun"))

    def row_exec(self):
        """Each runtime executes a program in a container that it has started itself."""
        commands = {}
        try:
            for name in self.runtimes:
                bundle = bundles.write(self.work / f"exec-{name}", self.bundle("pause"), f"/knarr-bench/exec-{name}",
                                       seccomp=True, limits=True, args=["/pause"])
                subprocess.run([*self.runtime(name), "run", "--detach", "--bundle", bundle, "exec"], check=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                commands[name] = [[*self.runtime(name), "exec", "exec", "/true"]]
            ratios = measure.table("exec into a running container", measure.pairs(commands, self.options.rounds))
        finally:
            for name in commands:
                subprocess.run([*self.runtime(name), "delete", "--force", "exec"], check=False)
        for program in ("crun", "runc"):
            self.note(f"exec to the newest {program}", ratios, measure.newest(self.runtimes, program))
        self.note("exec to Debian's crun", ratios, measure.oldest(self.runtimes, "crun"))

    def row_parallel(self):
        count, width, repeats = (40, 8, 1) if self.options.quick else (100, 8, 3)
        tree = self.bundle("podman")
        for number in range(count):
            bundles.write(self.work / "parallel" / str(number), tree, f"/knarr-bench/parallel-{number}",
                          seccomp=True, limits=True)
        # "@" alone becomes the number of the run (timer.c).
        commands = {name: [*self.runtime(name), "run", "--bundle", "@", "@"] for name in self.runtimes}
        commands["bare C, cgroups"] = [BARE, tree, "@", "/true"]
        runs = {name: [] for name in commands}
        for _ in range(repeats):
            for name in self.shuffled(commands):
                runs[name] += measure.timer("parallel", width, count, {name: [commands[name]]},
                                            cwd=self.work / "parallel")[name]
        ratios = measure.table(f"{count} containers, {width} at a time", runs)
        newest = measure.newest(self.runtimes, "crun")
        if newest:
            self.figures["rate of parallel runs over the newest crun"] = 1 / ratios[newest]

    def row_rss(self):
        print("\npeak resident memory of run, KiB (median of 9)")
        peaks = {}
        for kind in ("plain", "podman"):
            bundle = self.bundle(kind)
            runs = measure.pairs({name: [self.run_command(name, bundle)] for name in self.runtimes}, 9)
            for name, all_of in runs.items():
                peaks[kind, name] = statistics.median(run.kib for run in all_of)
                print(f"  {name:16}{'with seccomp' if kind == 'podman' else '':14}{peaks[kind, name]:8.0f}")
        cruns = [name for name in self.runtimes if name.startswith("crun ")]
        if cruns:
            self.figures["peak memory to the smallest crun"] = max(
                peaks[kind, "knarr"] / min(peaks[kind, name] for name in cruns) for kind in ("plain", "podman"))

    def starts_with(self, name, limit):
        """Whether `true` runs three times in a row under this memory limit, in bytes."""
        bundle = bundles.write(self.work / "floor", self.bundle("plain"), "/knarr-bench/floor",
                               seccomp=False, limits=False, memory=limit)
        for _ in range(3):
            try:
                done = subprocess.run(self.run_command(name, bundle, "floor"), capture_output=True,
                                      stdin=subprocess.DEVNULL, timeout=20).returncode == 0
            except subprocess.TimeoutExpired:
                done = False
            if not done:
                subprocess.run([*self.runtime(name), "delete", "--force", "floor"], capture_output=True)
                return False
        return True

    def row_floor(self):
        print("\nsmallest memory limit in which a static true runs, three times in a row, KiB")
        for name in self.runtimes:
            low, high = 0, 32 * MIB // PAGE
            if not self.starts_with(name, high * PAGE):
                sys.exit(f"bench: {name} does not run with {high * PAGE >> 10} KiB")
            while high - low > 4:
                middle = (low + high) // 2
                low, high = (low, middle) if self.starts_with(name, middle * PAGE) else (middle, high)
            print(f"  {name:16}{high * PAGE // 1024:8}", flush=True)
            if name == "knarr":
                self.figures["smallest memory limit, KiB"] = high * PAGE / 1024
