"""The row of tools/bench that pulls a real image, beside podman, containerd and the least that must be done.

The image: gzip layers made of this machine's own trees, from a registry on loopback. Every tool starts
with an empty store on the same file system. The page cache is warm.
"""

import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

import measure
from pull_row import Registry, push_layout, sha256_of

# What most Debian machines that build software have; what is missing is left out.
TREES = ("usr/lib/python3", "usr/lib/python3.11", "usr/include", "usr/share/doc", "usr/share/perl", "usr/lib/gcc",
         "usr/lib/git-core", "usr/share/man", "usr/lib/llvm-14/include", "usr/lib/llvm-14/lib", "usr/share/zoneinfo",
         "usr/lib/x86_64-linux-gnu/perl", "usr/lib/node_modules", "usr/share/vim", "usr/share/locale")
LAYER_MIB = 110
ROOM = 20 << 30  # for the stores of all rounds

# Of each layer: fetched, hashed, decompressed by ISA-L, hashed, written once; two layers at a time.
FLOOR = r"""#!/bin/bash
set -o pipefail
one() {
    curl -sSf "http://$1/v2/$2/blobs/$3" | tee >(sha256sum > /dev/null) | igzip -dc |
        tee "$4/${3#sha256:}" | sha256sum > /dev/null
}
export -f one
printf '%s\n' "${@:4}" | xargs -P 2 -I @ bash -c "one $1 $2 @ $3"
"""


class ImageRow:
    """Mixed into tools/bench's Bench: options, work, figures."""

    def row_image(self):
        missing = [name for name in ("podman", "igzip", "skopeo", "docker-registry") if not shutil.which(name)]
        if missing:
            print(f"LEFT OUT: image: {' '.join(missing)} not installed (tools/deps test)")
            return
        rounds = 1 if self.options.quick else 3
        with Registry(self.work / "registry-image") as registry:
            layers = make_layers(self.work / "layers", 2 if self.options.quick else 7)
            image = push_layout(registry, self.work, layers)
            manifest = layer_digests(image)
            (self.work / "floor").write_text(FLOOR)
            (self.work / "floor").chmod(0o755)
            names = ["floor", "erofs", "dir", "podman"] + ["containerd"] * bool(shutil.which("containerd"))
            times, again, removals = {name: [] for name in names}, [], {"erofs": [], "podman": []}
            for _ in range(rounds):
                for name in self.shuffled(times):
                    times[name].append(self.pull_once(name, image, registry, manifest))
                    if name == "erofs":
                        again.append(self.second_pull(image))
            # Last: what is removed makes the next pull slower, see put_aside().
            for number in range(rounds):
                for name, spent in removals.items():
                    if number > 0:
                        self.pull_once(name, image, registry, manifest)
                    spent.append(self.removal(name, image))
            self.show(times, again, removals)
            self.memory(image)
            self.run_beside_bundle(registry)

    def pull_once(self, name, image, registry, digests):
        """Seconds, CPU seconds and MiB of one pull into an empty store."""
        store = self.work / f"store-{name}"
        if store.exists() and shutil.disk_usage(store).free > ROOM:
            put_aside(store)
        subprocess.run(["rm", "-rf", "--one-file-system", store], check=True)
        store.mkdir(mode=0o700)
        with contextlib.ExitStack() as held:
            if name == "floor":
                command = [self.work / "floor", registry.address, "bench", store, *digests]
            elif name == "containerd":
                command = held.enter_context(containerd(store)) + ["images", "pull", "--plain-http", image]
            else:
                command = self.tool(name, store) + pull_words(name) + [image]
            run = measure.timer("pairs", 1, 0, {name: [command]})[name][0]
        return run.ms / 1000, run.cpu_ms / 1000, run.kib / 1024

    def tool(self, name, store):
        if name == "podman":
            return ["podman", "--root", store / "root", "--runroot", store / "run", "--storage-driver", "overlay"]
        return [measure.KNARR, "--data-root", store, "--root", self.states, "--snapshot-driver", name]

    def show(self, times, again, removals):
        print(f"\npull of an image until it can run\n  {'':11}{'s':>8}{'CPU s':>8}{'MiB':>8}{'erofs takes':>14}")
        ratio = {}
        for name, runs in times.items():
            ratio[name] = statistics.median(a[0] / b[0] for a, b in zip(times["erofs"], runs))
            seconds, cpu, mib = (statistics.median(run[i] for run in runs) for i in range(3))
            print(f"  {name:11}{seconds:8.2f}{cpu:8.2f}{mib:8.1f}{ratio[name]:13.2f}x", flush=True)
        if "containerd" in times:
            print("  (containerd: of its client only, but for the time)")
            self.figures["image pull, erofs, to containerd"] = ratio["containerd"]
        self.figures["second pull, ms"] = statistics.median(again)
        self.figures["image removal to podman"] = statistics.median(
            a / b for a, b in zip(removals["erofs"], removals["podman"]))
        print(f"  pulled again: {self.figures['second pull, ms']:.1f} ms; removed: "
              + ", ".join(f"{name} {statistics.median(spent):.0f} ms" for name, spent in removals.items()))
        self.figures["image pull, erofs, to podman"] = ratio["podman"]
        self.figures["image pull, erofs, to the floor"] = ratio["floor"]
        self.figures["image pull, dir, to podman"] = statistics.median(
            a[0] / b[0] for a, b in zip(times["dir"], times["podman"]))

    def second_pull(self, image):
        command = self.tool("erofs", self.work / "store-erofs") + pull_words("erofs") + [image]
        return statistics.median(run.ms for run in measure.timer("pairs", 5, 0, {"again": [command]})["again"])

    def removal(self, name, image):
        """Milliseconds of rmi, and of knarr's gc."""
        tool = self.tool(name, self.work / f"store-{name}")
        words = [tool + ["rmi", image]] + ([tool + ["image", "gc"]] if name == "erofs" else [])
        return measure.timer("pairs", 1, 0, {"rmi": words})["rmi"][0].ms

    def run_beside_bundle(self, registry):
        """`run` of an image with eight layers, and of a bundle that is the same made ready before."""
        layers = []
        for number in range(8):
            tree = self.work / f"tree{number}"
            (tree / f"dir{number}").mkdir(parents=True)
            if number == 0:
                shutil.copy(measure.HELPERS / "bench_true", tree / "true")
            subprocess.run(["tar", "-C", tree, "-cf", self.work / "eight", "."], check=True)
            diff_id = sha256_of(self.work / "eight")
            path = self.work / f"eight{number}"
            with open(path, "wb") as out:
                subprocess.run(["gzip", "-c", self.work / "eight"], check=True, stdout=out)
            layers.append((path, diff_id))
        image = push_layout(registry, self.work, layers, "eight")
        store = self.work / "store-eight"
        store.mkdir(mode=0o700)
        commands = {}
        for driver in ("erofs", "dir"):
            tool = self.tool(driver, store / driver)
            subprocess.run(tool + pull_words(driver) + [image], check=True, stdout=subprocess.DEVNULL)
            commands[driver] = [tool + ["run", "--rm", image]]
        subprocess.run(tool + ["run", "--name", "kept", image], check=True)
        kept = json.loads(next((store / "dir/containers").glob("*/config.json")).read_text())
        bundle = self.work / "bundle-eight"
        (bundle / "rootfs").mkdir(parents=True)
        for number in range(8):
            subprocess.run(["cp", "-a", f"{self.work}/tree{number}/.", bundle / "rootfs"], check=True)
        kept["root"]["path"] = "rootfs"
        (bundle / "config.json").write_text(json.dumps(kept))
        commands["bundle"] = [tool + ["run", "--bundle", bundle, "same"]]
        runs = measure.pairs(commands, self.options.rounds)
        measure.table("run of an image with eight layers beside its prepared bundle", runs, "erofs")
        for driver in ("erofs", "dir"):
            self.figures[f"run of an image over its bundle, {driver}, ms"] = statistics.median(
                a.ms - b.ms for a, b in zip(runs[driver], runs["bundle"]))

    def memory(self, image):
        """The most that all processes of a pull take together, looked at all the time."""
        store = self.work / "store-memory"
        store.mkdir(mode=0o700)
        command = self.tool("erofs", store) + pull_words("erofs") + [image]
        pull = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        seen = []
        watcher = threading.Thread(target=watch_memory, args=(pull, seen))
        watcher.start()
        pull.wait()
        watcher.join()
        subprocess.run(["rm", "-rf", "--one-file-system", store], check=True)
        self.figures["image pull, all processes, MiB"] = max(seen) / 1024
        print(f"  all processes together: {max(seen) / 1024:.1f} MiB at most, in {len(seen)} looks")


def put_aside(store):
    """Makes way for a fresh store. What was there is not removed before the row is over: for minutes ext4 looks at
    each inode that was just freed before it takes another one, which was half of the CPU time of a pull into
    files. Its pages are given back, so that the next pull finds as much free memory."""
    aside = store.with_name(f"old-{time.monotonic_ns()}")
    store.rename(aside)
    os.sync()
    for base, folders, names in os.walk(aside):
        del folders
        for name in names:
            path = os.path.join(base, name)
            if os.path.isfile(path) and not os.path.islink(path):
                file = os.open(path, os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)


def watch_memory(process, seen):
    """Adds up the memory of a process and all below it, shared pages by parts, until it ends."""
    while process.poll() is None:
        parents = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid, rest = stat.parent.name, stat.read_text().rpartition(")")[2]
                parents[int(pid)] = int(rest.split()[1])
        family = {process.pid}
        for _ in range(4):
            family |= {pid for pid, parent in parents.items() if parent in family}
        kib = 0
        for pid in family:
            with contextlib.suppress(OSError):
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                kib += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
        seen.append(kib)
        time.sleep(0.02)


@contextlib.contextmanager
def containerd(store):
    """A containerd with an empty store; yields ctr's command."""
    config = store / "config.toml"
    config.write_text(f'''version = 2
root = "{store}/root"
state = "{store}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{store}/socket"
''')
    daemon = subprocess.Popen(["containerd", "--config", config, "--log-level", "error"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ctr = ["ctr", "--address", store / "socket"]
        for _ in range(200):
            if subprocess.run(ctr + ["version"], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.05)
        else:
            sys.exit("bench: containerd does not answer")
        yield ctr
    finally:
        daemon.terminate()
        daemon.wait()


def pull_words(name):
    return ["pull", "-q", "--tls-verify=false"] if name == "podman" else ["pull", "-q", "--plain-http"]


def make_layers(folder, count):
    """gzip layers of about LAYER_MIB of files each; [(path, diff ID's digest), ...]."""
    folder.mkdir()
    files = []
    for tree in TREES:
        for base, folders, names in os.walk(f"/{tree}"):
            folders.sort()
            files += [os.path.join(base, name)[1:] for name in sorted(names)]
    layers, names, size, total = [], [], 0, 0
    for name in files:
        path = pathlib.Path("/", name)
        if not path.is_symlink() and not path.is_file():
            continue
        names.append(name)
        size += path.lstat().st_size
        if size >= LAYER_MIB << 20:
            layers.append(pack(folder / f"{len(layers)}", names))
            total += len(names)
            names, size = [], 0
            if len(layers) == count:
                break
    if names and len(layers) < count:
        layers.append(pack(folder / f"{len(layers)}", names))
        total += len(names)
    mib = sum(path.stat().st_size for path, _ in layers) >> 20
    print(f"\nimage: {len(layers)} gzip layers, {mib} MiB, {total} files")
    return layers


def pack(path, names):
    listing = path.with_suffix(".list")
    listing.write_text("\n".join(names))
    tar = path.with_suffix(".tar")
    subprocess.run(["tar", "-C", "/", "--no-recursion", "-H", "posix", "-cf", tar, "-T", listing], check=True)
    diff_id = subprocess.run(["sha256sum", tar], check=True, capture_output=True, text=True).stdout.split()[0]
    with open(path, "wb") as out:
        subprocess.run(["gzip", "-6", "-c", tar], check=True, stdout=out)
    tar.unlink()
    return path, diff_id


def layer_digests(image):
    shown = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{image}"], check=True,
                           capture_output=True, text=True).stdout
    return [layer["digest"] for layer in json.loads(shown)["layers"]]
