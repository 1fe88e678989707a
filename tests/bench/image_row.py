"""The row of tools/bench that pulls a real image, beside podman and the least that must be done.

The image: gzip layers made of this machine's own trees, from a registry on loopback. Every tool starts
with an empty store on the same file system. The page cache is warm.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time

import measure
from pull_row import Registry, push_layout

# What most Debian machines that build software have; what is missing is left out.
TREES = ("usr/lib/python3", "usr/lib/python3.11", "usr/include", "usr/share/doc", "usr/share/perl", "usr/lib/gcc",
         "usr/lib/git-core", "usr/share/man", "usr/lib/llvm-14/include", "usr/lib/llvm-14/lib", "usr/share/zoneinfo",
         "usr/lib/x86_64-linux-gnu/perl", "usr/lib/node_modules", "usr/share/vim", "usr/share/locale")
LAYER_MIB = 110

# Of each layer: fetched, hashed, decompressed by ISA-L, hashed, written once; two layers at a time.
FLOOR = r"""
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
            times = {name: [] for name in ("floor", "erofs", "dir", "podman")}
            for _ in range(rounds):
                for name in self.shuffled(times):
                    times[name].append(self.pull_once(name, image, registry, manifest))
            self.show(times)
            self.second_pull(image)
            self.removal(image, rounds)

    def pull_once(self, name, image, registry, digests):
        """Seconds, CPU seconds and MiB of one pull into an empty store."""
        store = self.work / f"store-{name}"
        subprocess.run(["rm", "-rf", "--one-file-system", store], check=True)
        store.mkdir(mode=0o700)
        if name == "floor":
            command = ["bash", "-c", FLOOR, "floor", registry.address, "bench", store, *digests]
        else:
            command = self.tool(name, store) + pull_words(name) + [image]
        start = time.monotonic()
        run = measure.timer("pairs", 1, 0, {name: [command]})[name][0]
        return time.monotonic() - start, run.cpu_ms / 1000, run.kib / 1024

    def tool(self, name, store):
        if name == "podman":
            return ["podman", "--root", store / "root", "--runroot", store / "run", "--storage-driver", "overlay"]
        return [measure.KNARR, "--data-root", store, "--root", self.work / f"run-{name}", "--snapshot-driver", name]

    def show(self, times):
        print(f"\npull of an image until it can run\n  {'':8}{'s':>8}{'CPU s':>8}{'MiB':>8}{'erofs takes':>14}")
        ratio = {}
        for name, runs in times.items():
            ratio[name] = statistics.median(a[0] / b[0] for a, b in zip(times["erofs"], runs))
            seconds, cpu, mib = (statistics.median(run[i] for run in runs) for i in range(3))
            print(f"  {name:8}{seconds:8.2f}{cpu:8.2f}{mib:8.1f}{ratio[name]:13.2f}x", flush=True)
        self.figures["image pull, erofs, to podman"] = ratio["podman"]
        self.figures["image pull, erofs, to the floor"] = ratio["floor"]
        self.figures["image pull, dir, to podman"] = statistics.median(
            a[0] / b[0] for a, b in zip(times["dir"], times["podman"]))
        self.figures["image pull, largest program, MiB"] = max(run[2] for run in times["erofs"])

    def second_pull(self, image):
        command = self.tool("erofs", self.work / "store-erofs") + pull_words("erofs") + [image]
        runs = measure.timer("pairs", 5, 0, {"again": [command]})["again"]
        self.figures["second pull, ms"] = statistics.median(run.ms for run in runs)
        print(f"  pulled again: {self.figures['second pull, ms']:.1f} ms")

    def removal(self, image, rounds):
        """rmi and gc of the image, after a pull into each store."""
        ratios = []
        for _ in range(rounds):
            spent = {}
            for name in ("erofs", "podman"):
                tool = self.tool(name, self.work / f"store-{name}")
                subprocess.run(tool + pull_words(name) + [image], check=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
                words = [["rmi", image], ["image", "gc"]] if name == "erofs" else [["rmi", image]]
                start = time.monotonic()
                for word in words:
                    subprocess.run(tool + word, check=True, stdout=subprocess.DEVNULL)
                spent[name] = time.monotonic() - start
            ratios.append(spent["erofs"] / spent["podman"])
            print(f"  removed: knarr {spent['erofs'] * 1000:.0f} ms, podman {spent['podman'] * 1000:.0f} ms")
        self.figures["image removal to podman"] = statistics.median(ratios)


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
