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
        tree, layout = work / "tree", work / "layout"
        for folder in (tree, layout):
            subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)
        (tree / "bin").mkdir(parents=True)
        with open(tree / "random", "wb") as out:
            for _ in range(mib):
                out.write(os.urandom(1 << 20))
        (layout / "blobs/sha256").mkdir(parents=True)
        layer = layout / "layer"
        subprocess.run(["tar", "-C", tree, "-cf", layer, "."], check=True)
        digest = subprocess.run(["sha256sum", layer], check=True, capture_output=True, text=True).stdout.split()[0]
        layer.rename(layout / "blobs/sha256" / digest)
        kind = "application/vnd.oci.image."

        def blob(value):
            text = json.dumps(value).encode()
            name = hashlib.sha256(text).hexdigest()
            (layout / "blobs/sha256" / name).write_bytes(text)
            return {"digest": f"sha256:{name}", "size": len(text)}

        size = (layout / "blobs/sha256" / digest).stat().st_size
        config = blob({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/true"]},
                       "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}})
        manifest = blob({"schemaVersion": 2, "mediaType": f"{kind}manifest.v1+json",
                         "config": {"mediaType": f"{kind}config.v1+json", **config},
                         "layers": [{"mediaType": f"{kind}layer.v1.tar",
                                     "digest": f"sha256:{digest}", "size": size}]})
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": f"{kind}manifest.v1+json", **manifest,
             "annotations": {"org.opencontainers.image.ref.name": "bench"}}]}))
        subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:bench",
                        f"docker://{self.address}/bench:{mib}"], check=True)
        for folder in (tree, layout):
            subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)
        return f"{self.address}/bench:{mib}"
