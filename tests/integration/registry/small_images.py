"""Small images made in memory, and the layouts and archives that hold them."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile

OCI = "application/vnd.oci.image."
MANIFEST, INDEX, CONFIG = OCI + "manifest.v1+json", OCI + "index.v1+json", OCI + "config.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files):
    """A tar of {name: bytes}, the same bytes each time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def compress(raw, how):
    if how == "gzip":
        return gzip.compress(raw, 1, mtime=0), "layer.v1.tar+gzip"
    if how == "zstd":
        done = subprocess.run(["zstd", "-q", "-c"], input=raw, stdout=subprocess.PIPE, check=True)
        return done.stdout, "layer.v1.tar+zstd"
    return raw, "layer.v1.tar"


class Image:
    """One image: blobs by digest, and its manifest's bytes."""

    def __init__(self, *layers, how="gzip", architecture="amd64", os="linux", command=("/bin/true",)):
        self.blobs, self.layers, diff_ids = {}, [], []
        for files in layers:
            raw = tar_of(files)
            data, kind = compress(raw, how)
            diff_ids.append(digest_of(raw))
            self.layers.append(self.add(data, OCI + kind))
        self.config_bytes = json.dumps({
            "architecture": architecture, "os": os, "created": "2026-01-02T03:04:05Z",
            "config": {"Cmd": list(command), "Env": ["A=b"], "Labels": {"l": "v"}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": []}).encode()
        self.config = self.add(self.config_bytes, CONFIG)
        self.seal()

    def add(self, data, media_type):
        self.blobs[digest_of(data)] = data
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def seal(self):
        """Makes the manifest of what `config` and `layers` say now."""
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                                    "config": self.config, "layers": self.layers}).encode()
        self.digest = digest_of(self.manifest)

    def descriptor(self, **more):
        return {"mediaType": MANIFEST, "digest": self.digest, "size": len(self.manifest), **more}


def index_of(*entries):
    """An index of (image, platform) pairs."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        image.descriptor(platform=platform) for image, platform in entries]}).encode()


def write_layout(directory, image, name=None):
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    for digest, data in {**image.blobs, image.digest: image.manifest}.items():
        (blobs / digest[7:]).write_bytes(data)
    notes = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
    (directory / "index.json").write_text(json.dumps(
        {"schemaVersion": 2, "manifests": [image.descriptor(**notes)]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def wasm_image(config=None):
    """A module as the CNCF's layout has it, or with a container's config."""
    module = b"\0asm\1\0\0\0" + b"m" * 2000
    image = Image({"a": b"1"})
    image.blobs.clear()
    image.layers = [image.add(module, "application/wasm")]
    value = config or {"architecture": "wasm", "os": "wasip1", "created": "2026-01-02T03:04:05Z",
                       "layerDigests": [digest_of(module)]}
    image.config = image.add(json.dumps(value).encode(), "application/vnd.oci.image.config.v1+json"
                             if config else "application/vnd.wasm.config.v0+json")
    image.seal()
    return image, digest_of(module)
