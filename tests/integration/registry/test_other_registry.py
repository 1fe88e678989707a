"""A registry of other people than docker's: go-containerregistry's, which tools/registry builds. It mounts nothing
and has no referrers API, as many have not."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

import pytest
from conftest import ROOT

from small_images import INDEX, Image, digest_of, index_of, write_layout

SMALL = Image({"bin/true": b"#!", "data": b"1" * 400_000}, {"etc/x": b"2" * 5000})


@pytest.fixture(scope="module")
def registry_program():
    # Built, not only looked up: where that cannot be done it says why, as without Go or its modules.
    got = subprocess.run([ROOT / "tools/registry"], capture_output=True, text=True, timeout=600, check=False)
    if got.returncode != 0:
        pytest.skip(f"needs go-containerregistry's registry: {got.stderr.strip()[-200:]}")
    return got.stdout.strip()


@pytest.fixture
def host(registry_program):
    """Its address; all that it has is in its memory."""
    with subprocess.Popen([registry_program, "-port", "0"], stderr=subprocess.PIPE, text=True) as process:
        try:
            port = re.search(r"serving on port (\d+)", process.stderr.readline())[1]
            yield f"localhost:{port}"
        finally:
            process.terminate()


@pytest.fixture
def stored(knarr, scratch):
    write_layout(scratch / "layout", SMALL, "1")
    knarr.good("pull", "-q", f"oci:{scratch}/layout:1")
    return SMALL.config["digest"]


@pytest.mark.parametrize("driver", ["erofs", "dir"])
def test_what_is_pushed_is_pulled_byte_for_byte(knarr, host, stored, driver):
    assert SMALL.digest in knarr.good("push", "--plain-http", stored, f"{host}/team/app:1")
    knarr.good("rmi", stored)
    done = knarr.run("--snapshot-driver", driver, "pull", "-q", "--plain-http", f"{host}/team/app:1")
    if driver == "erofs" and done.returncode == 5:
        pytest.skip("needs a kernel that mounts EROFS")
    assert done.returncode == 0, done.stderr
    assert knarr.good("image", "inspect", "-f", "{{.Id}}", done.stdout.strip()).strip() == stored
    blobs = {"sha256:" + path.name: path.read_bytes() for path in (knarr.home / "store/blobs/sha256").glob("*/*")}
    assert blobs == {**SMALL.blobs, SMALL.digest: SMALL.manifest}
    assert knarr.run("image", "verify").returncode == 0
    assert "already exists" in knarr.run("push", "--plain-http", stored, f"{host}/team/app:1").stderr


def test_what_cannot_be_mounted_is_sent(knarr, host, stored):
    knarr.good("push", "--plain-http", "-q", stored, f"{host}/team/app:1")
    knarr.good("tag", stored, f"{host}/team/app:1")
    knarr.good("push", "--plain-http", "-q", stored, f"{host}/other/app:1")
    knarr.good("pull", "-q", "--plain-http", f"{host}/other/app:1")


def test_tags_are_listed_and_deleted(knarr, host, stored):
    for tag in ("a", "b", "c"):
        knarr.good("push", "--plain-http", "-q", stored, f"{host}/team/app:{tag}")
    assert knarr.good("image", "tags", "--plain-http", f"{host}/team/app").split() == ["a", "b", "c"]
    assert "404" in knarr.bad("image", "tags", "--plain-http", f"{host}/team/none")
    out = knarr.good("image", "delete", "--plain-http", f"docker://{host}/team/app:b")
    assert SMALL.digest in out
    assert knarr.run("pull", "-q", "--plain-http", f"{host}/team/app@{SMALL.digest}").returncode != 0


def test_referrers_come_from_the_tag_in_the_apis_place(knarr, host, stored, scratch):
    name = f"{host}/team/app:1"
    knarr.good("push", "--plain-http", "-q", stored, name)
    words = ["image", "referrers", "--plain-http", "--json", name]
    assert json.loads(knarr.good(*words))["manifests"] == []
    other = Image({"sbom": b"{}"})
    text = index_of((other, {"os": "linux", "architecture": "amd64"}))
    put(host, "team/app", f"sha256-{SMALL.digest[7:]}", other, text)
    assert [one["digest"] for one in json.loads(knarr.good(*words))["manifests"]] == [other.digest]


def put(host, repository, tag, image, index):
    """An index and what is below it, by the requests of the specification."""

    def ask(method, url, data=None, kind="application/octet-stream"):
        request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers
    base = f"http://{host}/v2/{repository}"
    for digest, data in image.blobs.items():
        where = urllib.parse.urljoin(base, ask("POST", f"{base}/blobs/uploads/", b"")["Location"])
        ask("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", data)
    ask("PUT", f"{base}/manifests/{image.digest}", image.manifest, image.descriptor()["mediaType"])
    ask("PUT", f"{base}/manifests/{tag}", index, INDEX)


def test_what_refers_to_an_image_is_listed_and_taken_out_again(knarr, host, stored, scratch):
    knarr.good("push", "--plain-http", "-q", stored, f"{host}/team/app:1")
    sbom = Image({"sbom": b"{}"})
    sbom.manifest = json.dumps({**json.loads(sbom.manifest), "subject": SMALL.descriptor(),
                                "artifactType": "application/spdx+json"}).encode()
    sbom.digest = digest_of(sbom.manifest)
    write_layout(scratch / "sbom", sbom, "1")
    knarr.good("pull", "-q", f"oci:{scratch}/sbom:1")
    knarr.good("push", "--plain-http", "-q", sbom.config["digest"], f"{host}/team/app:sbom")
    words = ["image", "referrers", "--plain-http", "--json", f"{host}/team/app:1"]
    (found,) = json.loads(knarr.good(*words))["manifests"]
    assert (found["digest"], found["artifactType"]) == (sbom.digest, "application/spdx+json")
    knarr.good("image", "delete", "--plain-http", f"docker://{host}/team/app@{sbom.digest}")
    assert json.loads(knarr.good(*words))["manifests"] == []
