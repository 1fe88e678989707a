"""The row of tools/bench that pulls an image from a registry on loopback."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time

import measure


class PullRow:
    """Mixed into tools/bench's Bench: options, work, figures."""

    def row_pull(self):
        sizes = (16, 128) if self.options.quick else (16, 1024)
        print("\npull from a registry on loopback: peak resident memory of all its programs")
        for mib in sizes:
            with Registry(self.work / f"registry-{mib}") as registry:
                image = registry.fill(self.work, mib)
                data = self.work / f"data-{mib}"
                start = time.monotonic()
                pull = [measure.KNARR, "--data-root", data, "pull", "--plain-http", image]
                peak = measure.timer("pairs", 1, 0, {"pull": [pull]})["pull"][0].kib / 1024
                print(f"  layer of {mib:5} MiB{peak:8.1f} MiB{time.monotonic() - start:8.1f} s", flush=True)
            subprocess.run(["rm", "-rf", "--one-file-system", data, self.work / f"registry-{mib}"], check=True)
            self.figures["pull rss, MiB"] = max(peak, self.figures.get("pull rss, MiB", 0))


class Registry:
    """A docker-registry on a free port of loopback."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        config = self.folder / "config.yml"
        config.write_text(json.dumps({
            "version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "blobs")}},
            "http": {"addr": self.address}}))
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.05)
        sys.exit("bench: docker-registry does not listen")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def fill(self, work, mib):
        """Pushes an image with one plain layer of random bytes; returns its reference."""
        tree = work / "tree"
        subprocess.run(["rm", "-rf", "--one-file-system", tree], check=True)
        (tree / "bin").mkdir(parents=True)
        with open(tree / "random", "wb") as out:
            for _ in range(mib):
                out.write(os.urandom(1 << 20))
        layer = work / "layer"
        subprocess.run(["tar", "-C", tree, "-cf", layer, "."], check=True)
        image = push_layout(self, work, [(layer, sha256_of(layer))], f"{mib}", "tar")
        subprocess.run(["rm", "-rf", "--one-file-system", tree], check=True)
        return image


def sha256_of(path):
    return subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True).stdout.split()[0]


def push_layout(registry, work, layers, tag="layers", kind_of_layer="tar+gzip"):
    """Pushes an image of these layers, [(file, digest of its tar), ...], whose files go; its reference."""
    layout = work / "layout"
    write_image(layout, layers, kind_of_layer)
    image = f"{registry.address}/bench:{tag}"
    subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:bench",
                    f"docker://{image}"], check=True)
    subprocess.run(["rm", "-rf", "--one-file-system", layout], check=True)
    return image


def write_image(layout, layers, kind_of_layer):
    (layout / "blobs/sha256").mkdir(parents=True)
    kind = "application/vnd.oci.image."

    def blob(value):
        text = json.dumps(value).encode()
        name = hashlib.sha256(text).hexdigest()
        (layout / "blobs/sha256" / name).write_bytes(text)
        return {"digest": f"sha256:{name}", "size": len(text)}

    config = blob({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/true"]},
                   "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}" for _, diff_id in layers]}})
    described = []
    for path, _ in layers:
        digest, size = sha256_of(path), path.stat().st_size
        path.rename(layout / "blobs/sha256" / digest)
        described.append({"mediaType": f"{kind}layer.v1.{kind_of_layer}", "digest": f"sha256:{digest}", "size": size})
    manifest = blob({"schemaVersion": 2, "mediaType": f"{kind}manifest.v1+json",
                     "config": {"mediaType": f"{kind}config.v1+json", **config}, "layers": described})
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": f"{kind}manifest.v1+json", **manifest,
         "annotations": {"org.opencontainers.image.ref.name": "bench"}}]}))
