"""Runs bench_timer and turns what it prints into ratios."""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KNARR = ROOT / "build/release/bin/knarr"
HELPERS = ROOT / "build/dev/bin"
TIMER = HELPERS / "bench_timer"


class Run:
    """What one run cost."""

    def __init__(self, wall_us, cpu_us, kib):
        self.ms, self.cpu_ms, self.kib = int(wall_us) / 1000, int(cpu_us) / 1000, int(kib)


def find_runtimes():
    """{name: path}: knarr, Debian's crun and runc, and the newest ones that tools/peers knows."""
    found = {"knarr": str(KNARR)}
    for name in ("crun", "runc"):
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            print(f"LEFT OUT: {name} is not installed (tools/deps test)")
            continue
        version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        number = re.search(r"version (\S+)", version)
        found[f"{name} {number[1] if number else 'here'}"] = path
    peers = subprocess.run([ROOT / "tools/peers"], capture_output=True, text=True)
    if peers.returncode != 0:
        print(f"LEFT OUT: the newest crun and runc: {peers.stderr.strip()}")
    for line in peers.stdout.splitlines():
        name, version, path = line.split(maxsplit=2)
        found.setdefault(f"{name} {version}", path)
    return found


def newest(names, program):
    """The name of the newest `program` among names as find_runtimes() makes them; None: no such."""
    def number(name):
        return [int(part) for part in re.findall(r"\d+", name)]
    return max((name for name in names if name.startswith(program + " ")), key=number, default=None)


def oldest(names, program):
    found = [name for name in names if name.startswith(program + " ")]
    return found[0] if found else None  # Debian's own comes first


def timer(mode, first, second, commands, cwd=None):
    """bench_timer over {name: [[program, argument...], ...]}; {name: [Run, ...]}."""
    lines = ""
    for name, programs in commands.items():
        lines += name + "\t" + "\t;\t".join("\t".join(map(str, one)) for one in programs) + "\n"
    done = subprocess.run([TIMER, mode, str(first), str(second)], input=lines, capture_output=True,
                          text=True, cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"bench: {done.stderr.strip()}")
    runs = {name: [] for name in commands}
    for line in done.stdout.splitlines():
        name, *cost = line.split("\t")
        runs[name].append(Run(*cost))
    return runs


def pairs(commands, rounds, rest_ms=0):
    """Every command once a round, in random order, after one round that does not count."""
    timer("pairs", 1, 0, commands)
    return timer("pairs", rounds, rest_ms, commands)


def ratio(a, b):
    """The median of the ratios of a's time to b's in the same round."""
    return statistics.median(x.ms / y.ms for x, y in zip(a, b))


def table(title, runs, base="knarr"):
    """Prints one row of the bench; returns {name: ratio of knarr's time to that one's}."""
    print(f"\n{title}\n  {'':16}{'median ms':>10}{'min ms':>9}{'CPU ms':>8}{'KiB':>8}{base + ' takes':>18}{'of minima':>11}")
    ratios = {}
    for name, all_of in runs.items():
        ratios[name] = ratio(runs[base], all_of)
        minima = min(x.ms for x in runs[base]) / min(x.ms for x in all_of)
        note = "" if name == base else f"{ratios[name]:17.2f}x{minima:10.2f}x"
        print(f"  {name:16}{statistics.median(x.ms for x in all_of):10.2f}{min(x.ms for x in all_of):9.2f}"
              f"{statistics.median(x.cpu_ms for x in all_of):8.2f}{statistics.median(x.kib for x in all_of):8.0f}{note}",
              flush=True)
    return ratios
