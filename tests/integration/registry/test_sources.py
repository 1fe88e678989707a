"""Images that lie in files, and images of a real registry, as skopeo makes them."""

import io
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from small_images import Image, write_layout

IMAGE = Image({"bin/true": b"#!"}, {"etc/x": b"1" * 5000})


def skopeo(*args):
    if not shutil.which("skopeo"):
        pytest.skip("needs skopeo")
    done = subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *map(str, args)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def layout(scratch):
    write_layout(scratch / "Layout", IMAGE, "v1")
    return scratch / "Layout"


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_real_registry(puller, layout, docker_registry, form):
    name = f"{docker_registry}/team/app:1.0"
    skopeo("--dest-tls-verify=false", "--format", form, f"oci:{layout}:v1", f"docker://{name}")
    result = puller.ok("pull", name, "--plain-http")
    assert result["reference"] == name
    assert puller.ok("pull", f"{docker_registry}/team/app@{result['digest']}",
                     "--plain-http")["id"] == result["id"]
    shown = puller.ok("inspect", name)
    assert name in shown["RepoTags"]
    assert f"{docker_registry}/team/app@{result['digest']}" in shown["RepoDigests"]


def test_layout_directory(puller, layout):
    result = puller.ok("pull", f"oci:{layout}")
    assert result["digest"] == IMAGE.digest and result["reference"] == "localhost/layout:latest"
    assert puller.ok("pull", f"oci:{layout}:v1")["reference"] == "localhost/layout:v1"
    assert puller.blobs() == {*IMAGE.blobs, IMAGE.digest}


def test_layout_with_an_unknown_name_lists_the_known(puller, layout):
    assert "v1" in puller.refused("image_not_found", "pull", f"oci:{layout}:v2")["hint"]


def test_layout_with_a_flipped_bit(puller, layout):
    path = layout / "blobs/sha256" / IMAGE.layers[1]["digest"][7:]
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    puller.refused("digest_mismatch", "pull", f"oci:{layout}")


@pytest.mark.parametrize("harm", ["fifo", "link", "short", "gone"])
def test_layout_with_a_blob_that_is_no_blob(puller, layout, harm):
    path = layout / "blobs/sha256" / IMAGE.layers[0]["digest"][7:]
    path.unlink()
    if harm == "fifo":
        os.mkfifo(path)
    elif harm == "link":
        path.symlink_to("/etc/passwd")
    elif harm == "short":
        path.write_bytes(b"x")
    code, lines = puller.run("pull", f"oci:{layout}")
    assert code != 0 and lines[-1]["error"] in ("invalid_image", "digest_mismatch"), lines[-1]


def test_oci_archive(puller, layout, scratch):
    skopeo(f"oci:{layout}:v1", f"oci-archive:{scratch}/app.tar:v1")
    result = puller.ok("pull", f"oci-archive:{scratch}/app.tar")
    assert result["id"] == IMAGE.config["digest"] and result["reference"] == "localhost/app:latest"


def test_docker_archive(puller, layout, scratch):
    skopeo(f"oci:{layout}:v1", f"docker-archive:{scratch}/app.tar:example.org/team/app:7")
    result = puller.ok("pull", f"docker-archive:{scratch}/app.tar")
    assert result["reference"] == "example.org/team/app:7"
    assert puller.ok("pull", f"docker-archive:{scratch}/app.tar:example.org/team/app:7")["id"] == \
        result["id"]
    error = puller.run("pull", f"docker-archive:{scratch}/app.tar:other:1")[1][-1]
    assert error["error"] == "image_not_found" and "example.org/team/app:7" in error["hint"]


def docker_archive(path, layers, entries):
    """An archive in which the layers lie as `entries` (name -> bytes or link) say."""
    image = Image(*layers, how="plain")
    manifest = [{"Config": "config.json", "RepoTags": ["app:1"],
                 "Layers": [name for name, _ in entries]}]
    with tarfile.open(path, "w") as archive:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for number, (name, link) in enumerate(entries):
            data = image.blobs[image.layers[number]["digest"]]
            if link:
                add(link, data)
                info = tarfile.TarInfo(name)
                info.type, info.linkname = tarfile.SYMTYPE, os.path.relpath(link, os.path.dirname(name))
                archive.addfile(info)
            else:
                add(name, data)
        add("config.json", image.config_bytes)
        add("manifest.json", json.dumps(manifest).encode())
    return image


def test_docker_archive_with_linked_layers(puller, scratch):
    image = docker_archive(scratch / "a.tar", [{"a": b"1"}, {"b": b"2"}],
                           [("one/layer.tar", None), ("two/layer.tar", "shared/layer.tar")])
    result = puller.ok("pull", f"docker-archive:{scratch}/a.tar")
    assert result["reference"] == "docker.io/library/app:1"
    assert {layer["digest"] for layer in image.layers} <= puller.blobs()


def test_docker_archive_with_long_names(puller, scratch):
    name = "d" * 120 + "/" + "e" * 120 + "/layer.tar"
    docker_archive(scratch / "a.tar", [{"a": b"1"}], [(name, None)])
    puller.ok("pull", f"docker-archive:{scratch}/a.tar")


def test_links_in_a_circle(puller, scratch):
    docker_archive(scratch / "a.tar", [{"a": b"1"}], [("x", None)])
    with tarfile.open(scratch / "a.tar", "a") as archive:
        info = tarfile.TarInfo("x")
        info.type, info.linkname = tarfile.SYMTYPE, "x"
        archive.addfile(info)
    assert "links" in puller.refused("invalid_image", "pull",
                                     f"docker-archive:{scratch}/a.tar")["message"]


@pytest.mark.parametrize("cut", [100, 512, 700, 1024, 1500, 2047])
def test_archive_that_ends_early(puller, scratch, cut):
    docker_archive(scratch / "a.tar", [{"a": b"1"}], [("x", None)])
    data = (scratch / "a.tar").read_bytes()[:cut]
    (scratch / "a.tar").write_bytes(data)
    code, lines = puller.run("pull", f"docker-archive:{scratch}/a.tar")
    assert code != 0 and lines[-1]["error"] == "invalid_image", lines[-1]


def test_compressed_archive_is_named_as_such(puller, scratch):
    docker_archive(scratch / "a.tar", [{"a": b"1"}], [("x", None)])
    subprocess.run(["gzip", scratch / "a.tar"], check=True)
    error = puller.refused("invalid_image", "pull", f"docker-archive:{scratch}/a.tar.gz")
    assert "gunzip" in error["hint"]


# --- list, inspect, remove ---

def test_list_shows_real_sizes_and_all_names(puller, layout):
    puller.ok("pull", f"oci:{layout}:v1")
    puller.ok("pull", f"oci:{layout}")
    (image,) = puller.ok("list")
    size = sum(map(len, IMAGE.blobs.values())) + len(IMAGE.manifest)
    assert image["size"] == size and image["id"] == IMAGE.config["digest"]
    assert image["references"] == ["localhost/layout:latest", "localhost/layout:v1"]


def test_inspect_has_dockers_shape(puller, layout):
    puller.ok("pull", f"oci:{layout}:v1")
    for name in ("localhost/layout:v1", IMAGE.config["digest"], IMAGE.config["digest"][7:19],
                 IMAGE.digest):
        shown = puller.ok("inspect", name)
        assert shown["Id"] == IMAGE.config["digest"]
    assert shown["Os"] == "linux" and shown["Architecture"] == "amd64"
    assert shown["Created"] == "2026-01-02T03:04:05Z"
    assert shown["Config"]["Cmd"] == ["/bin/true"] and shown["Config"]["Env"] == ["A=b"]
    assert shown["Config"]["Labels"] == {"l": "v"} and shown["Config"]["Entrypoint"] is None
    assert shown["RootFS"] == {"Type": "layers", "Layers": json.loads(
        IMAGE.config_bytes)["rootfs"]["diff_ids"]}
    assert shown["RepoTags"] == ["localhost/layout:v1"]


def test_remove_takes_tags_first_and_blobs_last(puller, layout):
    puller.ok("pull", f"oci:{layout}:v1")
    puller.ok("pull", f"oci:{layout}")
    removed = puller.ok("remove", "localhost/layout:v1", "--used-by", "c1")
    assert removed == {"untagged": ["localhost/layout:v1"], "deleted": []}
    error = puller.run("remove", "localhost/layout", "--used-by", "c1")[1][-1]
    assert error["error"] == "image_in_use" and "c1" in error["message"]
    removed = puller.ok("remove", IMAGE.config["digest"][7:])
    assert set(removed["deleted"]) == {*IMAGE.blobs, IMAGE.digest} and not puller.blobs()
    assert not list(puller.root.glob("layers/[0-9a-f]*")) and puller.ok("list") == []
    assert puller.run("remove", "localhost/layout")[1][-1]["error"] == "image_not_found"


def test_shared_layer_stays_until_its_last_image_goes(puller, scratch):
    one, two = Image({"a": b"1"}, {"b": b"2"}), Image({"a": b"1"}, {"c": b"3"})
    shared = one.layers[0]["digest"]
    for name, image in (("one", one), ("two", two)):
        write_layout(scratch / name, image)
        puller.ok("pull", f"oci:{scratch / name}")
    puller.ok("remove", "localhost/one")
    assert shared in puller.blobs() and one.layers[1]["digest"] not in puller.blobs()
    puller.ok("remove", "localhost/two")
    assert not puller.blobs()


def test_prefix_of_two_images_is_refused(puller, scratch):
    seen, number = {}, 0
    while True:  # two digests that start alike
        image = Image({"n": str(number).encode()})
        prefix = image.config["digest"][7:9]
        if prefix in seen:
            break
        seen[prefix], number = image, number + 1
    for name, one in (("one", image), ("two", seen[prefix])):
        write_layout(scratch / name, one)
        puller.ok("pull", f"oci:{scratch / name}")
    assert puller.run("inspect", prefix)[1][-1]["error"] == "invalid_argument"
