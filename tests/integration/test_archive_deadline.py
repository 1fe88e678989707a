"""One time for the whole of what asks no registry: pulls of layouts, load and import."""

import gzip
import json
import os
import subprocess

import images
import pytest

pytestmark = pytest.mark.usefixtures("needs_root")

OVER = "the 1 s for the whole operation (--timeout) are over"
MEMBERS = 160  # of 64 MiB each: more than anybody decompresses in a second


@pytest.fixture(scope="module")
def bomb():
    return gzip.compress(bytes(64 << 20), 1, mtime=0) * MEMBERS


@pytest.fixture
def host(knarr_path, scratch):
    return images.Host(knarr_path, scratch)


def assert_over(host, done):
    assert done.returncode == 7 and OVER in done.stderr, done.stderr
    assert "--timeout TIME" in done.stderr
    for place in ("refs", "ingest", "leases", "layers"):
        assert [path for path in (host.data / place).iterdir() if not path.name.startswith(".part")] == [], place


@pytest.mark.parametrize("words", [["load", "-q"], ["import", "-q", "-"]])
def test_standard_input_that_does_not_end_is_not_waited_for(host, words):
    read, write = os.pipe()
    try:
        os.write(write, b"begin")
        assert_over(host, host.run(*words, "--timeout", "1s", stdin=read))
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("words", [["load", "-q", "-i"], ["import", "-q"]])
def test_an_archive_that_takes_too_long_to_decompress(host, scratch, bomb, words):
    (scratch / "bomb.gz").write_bytes(bomb)
    assert_over(host, host.run(*words, scratch / "bomb.gz", "--timeout", "1s"))


@pytest.mark.parametrize("driver", ["erofs", "dir"])
def test_a_layer_of_a_layout_that_takes_too_long(host, scratch, bomb, driver):
    layout = images.write_layout(scratch / "box", [b"no tar"])
    blobs = scratch / "box/blobs/sha256"
    index = json.loads((scratch / "box/index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
    manifest["layers"] = [put(blobs, bomb, manifest["layers"][0]["mediaType"])]
    entry = put(blobs, json.dumps(manifest).encode(), manifest["mediaType"])
    index["manifests"] = [{**index["manifests"][0], **entry}]
    (scratch / "box/index.json").write_text(json.dumps(index))
    done = host.run("--snapshot-driver", driver, "pull", "-q", layout, "--timeout", "1s")
    if driver == "erofs" and done.returncode == 5:
        pytest.skip("needs a kernel that mounts EROFS")
    assert_over(host, done)


def put(blobs, data, media_type):
    name = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout.decode()[:64]
    (blobs / name).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}


@pytest.mark.parametrize("words", [["load", "-i", "x"], ["import", "x"], ["pull", "oci:x"]])
@pytest.mark.parametrize("time", ["0", "8d", "x"])
def test_a_time_that_is_none_is_refused(host, words, time):
    done = host.run(*words, f"--timeout={time}")
    assert done.returncode == 2 and "--timeout" in done.stderr
