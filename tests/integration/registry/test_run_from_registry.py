"""run --pull and run --platform, with a registry whose tag moves and that has two platforms."""

import gzip
import json
import os

import pytest

import images
from small_images import INDEX, OCI, Image, digest_of, index_of

pytestmark = pytest.mark.usefixtures("needs_root")

HOST = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64")


def image_that_says(text, architecture=HOST):
    tar = images.base_layer()
    image = Image({}, architecture=architecture)
    image.blobs.clear()
    image.layers = [image.add(gzip.compress(tar, 1, mtime=0), OCI + "layer.v1.tar+gzip")]
    image.config = image.add(json.dumps({
        "architecture": architecture, "os": "linux", "config": {"Cmd": ["echo", text], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(tar)]}}).encode(), OCI + "config.v1+json")
    image.seal()
    return image


def test_pull_always_follows_a_tag_that_moved(knarr, registry):
    name = registry.add(image_that_says("one"))
    run = ["run", "--rm", "-q", "--plain-http"]
    assert "hint: " in knarr.bad(*run, "--pull", "never", name)
    assert knarr.good(*run, name) == "one\n"
    registry.add(image_that_says("two"))
    assert knarr.good(*run, name) == knarr.good(*run, "--pull", "missing", name) == "one\n"
    assert knarr.good(*run, "--pull", "never", name) == "one\n"
    assert knarr.good(*run, "--pull", "always", name) == "two\n"
    assert knarr.good(*run, name) == "two\n"


def test_platform_chooses_the_variant(knarr, registry):
    both = {architecture: image_that_says(architecture, architecture) for architecture in (HOST, "s390x")}
    for architecture, image in both.items():
        registry.add(image, architecture)
    text = index_of(*((image, {"os": "linux", "architecture": architecture}) for architecture, image in both.items()))
    registry.add_manifest(text, INDEX, "all")
    name = f"{registry.host}/a/b:all"
    run = ["run", "--rm", "-q", "--plain-http"]
    assert knarr.good(*run, name) == f"{HOST}\n"
    assert knarr.good(*run, "--platform", "linux/s390x", name) == "s390x\n"
    assert knarr.good(*run, "--platform", f"linux/{HOST}", name) == f"{HOST}\n"
    refused = knarr.run(*run, "--platform", "linux/riscv64", name)
    assert refused.returncode == 125 and "riscv64" in refused.stderr and "linux/s390x" in refused.stderr
