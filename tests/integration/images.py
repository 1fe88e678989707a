"""Small images for tests: OCI layouts made from trees, with Debian's static busybox in them."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest
from oci import assert_has_faults

APPLETS = ["sh", "cat", "echo", "env", "id", "ls", "mount", "pwd", "sleep", "true", "false", "touch",
           "hostname", "grep", "kill", "stat", "mkdir", "dd", "head", "wc"]


def busybox():
    path = shutil.which("busybox")
    if path is None:
        pytest.skip("needs busybox (apt-get install busybox-static)")
    return pathlib.Path(path).read_bytes()


class Layer:
    """One layer in the making: a tar in memory."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, data=None, *, kind=tarfile.REGTYPE, mode=0o644, uid=0, gid=0, link="", pax=None):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid, entry.linkname = kind, mode, uid, gid, link
        entry.size = len(data) if data is not None else 0
        entry.pax_headers = pax or {}
        self.tar.addfile(entry, io.BytesIO(data) if data is not None else None)
        return self

    def directory(self, name, mode=0o755, uid=0, gid=0):
        return self.add(name, kind=tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)

    def symlink(self, name, target):
        return self.add(name, kind=tarfile.SYMTYPE, mode=0o777, link=target)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def base_layer():
    """busybox and what a small root has."""
    layer = Layer()
    for name in ("bin", "etc", "tmp", "root", "home", "home/web", "var", "var/tmp"):
        layer.directory(name, 0o1777 if name.endswith("tmp") else 0o755)
    layer.add("bin/busybox", busybox(), mode=0o755)
    for applet in APPLETS:
        layer.symlink(f"bin/{applet}", "busybox")
    layer.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                            b"web:x:1000:1001:Web:/home/web:/bin/sh\n"
                            b"huge:x:4294967296:0::/:/bin/sh\n")
    layer.add("etc/group", b"root:x:0:\nweb:x:1001:\naudio:x:29:web\nvideo:x:44:other,web\n")
    layer.add("etc/os-release", b"ID=knarr-test\n")
    return layer.bytes()


def write_layout(directory, layers, config=None, tag="latest", created="2026-01-02T03:04:05Z", history=()):
    """An OCI layout with one image. `config` is the image's "config" object, `history` what made each layer."""
    directory = pathlib.Path(directory)
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    image = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64"),
        "os": "linux",
        "created": created,
        "config": config or {},
        "rootfs": {"type": "layers",
                   "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in layers]},
        **({"history": [{"created": created, "created_by": step} for step in history]} if history else {}),
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(json.dumps(image).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [put(gzip.compress(tar, 1, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
                   for tar in layers],
    }
    entry = put(json.dumps(manifest).encode(), manifest["mediaType"])
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return f"oci:{directory}:{tag}"


class Host:
    """A knarr with roots of its own, and a look at what it leaves behind."""

    def __init__(self, knarr, scratch):
        self.knarr, self.scratch = str(knarr), scratch
        self.root, self.data = scratch / "run", scratch / "data"

    def run(self, *words, timeout=60, fault=None, **options):
        """Runs knarr to its end; `fault` names a point of core/fault.h, for a program that has them."""
        if fault:
            assert_has_faults(self.knarr)
            options.setdefault("env", dict(os.environ, KNARR_FAULT=fault))
            if fault.endswith("=kill"):
                # Not into a pipe: a container that survives its starter would hold it open.
                options.update(capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        options.setdefault("capture_output", True)
        options.setdefault("text", True)
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        if options.get("stdin") is None:
            options.pop("stdin", None)
        return subprocess.run(self.command(*words), timeout=timeout, check=False, **options)

    def command(self, *words):
        return [self.knarr, "--root", str(self.root), "--data-root", str(self.data),
                *map(str, words)]

    def good(self, *words, **options):
        result = self.run(*words, **options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def containers(self):
        return json.loads(self.good("list", "--json"))

    def traces(self):
        """Everything that containers leave: records, data, mounts, cgroups."""
        found = [str(path) for path in self.root.glob("*") if not path.name.startswith(".")]
        found += [str(path) for path in (self.root / ".names").glob("*") if path.is_symlink()]
        found += [str(path) for path in (self.data / "containers").glob("[!.]*")]
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        found += [line for line in mounts.splitlines() if str(self.scratch) in line]
        return found


def cgroups_of(container):
    """cgroup directories that carry the container's ID."""
    found = subprocess.run(["find", "/sys/fs/cgroup", "-type", "d", "-name", f"*{container}*"],
                           capture_output=True, text=True, check=False).stdout
    return found.split()
