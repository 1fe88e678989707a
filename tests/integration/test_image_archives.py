"""save and load, against skopeo and podman."""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def host(knarr_path, scratch):
    return images.Host(knarr_path, scratch)


@pytest.fixture
def other(knarr_path, scratch):
    """A second store."""
    (scratch / "second").mkdir()
    return images.Host(knarr_path, scratch / "second")


@pytest.fixture
def box(host, scratch):
    """An image under two names; its ID."""
    layer = images.Layer().add("text", b"hello").bytes()
    layout = images.write_layout(scratch / "box", [images.base_layer(), layer], {"Cmd": ["true"]})
    identifier = host.good("pull", "-q", layout).strip()
    host.good("tag", identifier, "busybox:mine")
    return identifier


def listed(host):
    return {image["Id"]: sorted(image["RepoTags"])
            for image in json.loads(host.good("images", "--json"))}


def skopeo(*args):
    if not shutil.which("skopeo"):
        pytest.skip("needs skopeo")
    done = subprocess.run(["skopeo", "--insecure-policy", *map(str, args)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci-dir"])
def test_what_is_saved_is_loaded_with_names_and_digests(host, other, box, scratch, form):
    out = scratch / "saved"
    host.good("save", "--format", form, "-o", out, "busybox:mine", "localhost/box:latest")
    loaded = other.good("load", "-q", "-i", out)
    assert sorted(loaded.split("\n")[:2]) == ["Loaded image: busybox:mine",
                                             "Loaded image: localhost/box:latest"]
    assert listed(other) == listed(host) == {box: ["busybox:mine", "localhost/box:latest"]}
    digests = [json.loads(one.good("images", "--json"))[0]["Digest"] for one in (host, other)]
    assert digests[0] == digests[1]
    assert other.good("run", "--rm", "busybox:mine", "cat", "text") == "hello"
    assert other.run("image", "verify").returncode == 0


def test_save_to_stdout_and_load_from_stdin_also_compressed(host, other, box):
    with subprocess.Popen(host.command("save", box), stdout=subprocess.PIPE) as save:
        archive = save.stdout.read()
    assert save.returncode == 0
    for data in (archive, gzip.compress(archive, 1)):
        done = subprocess.run(other.command("load", "-q"), input=data, capture_output=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode() == f"Loaded image ID: {box}\n"
        assert listed(other) == {box: []}, "saved by its ID: it has no name"
    again = subprocess.run(host.command("save", box), capture_output=True, check=True).stdout
    assert hashlib.sha256(again).digest() == hashlib.sha256(archive).digest()


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci"])
def test_skopeo_reads_what_is_saved_and_the_other_way_round(host, other, box, scratch, form):
    out = scratch / "saved"
    host.good("save", "--format", {"oci": "oci-dir"}.get(form, form), "-o", out, "busybox:mine")
    shown = json.loads(skopeo("inspect", "--config", f"{form}:{out}"))
    assert shown["config"]["Cmd"] == ["true"]
    name = ":docker.io/library/from/skopeo:1" if form == "docker-archive" else ":one.example/skopeo:1"
    skopeo("copy", "-q", f"{form}:{out}", f"{form}:{scratch / 'copy'}{name}")
    assert "skopeo:1" in other.good("load", "-q", "-i", scratch / "copy")
    assert list(listed(other)) == [box]


def test_podman_reads_what_is_saved(host, box, scratch):
    if not shutil.which("podman"):
        pytest.skip("needs podman")
    out = scratch / "saved"
    host.good("save", "-o", out, "busybox:mine")
    podman = ["podman", "--root", str(scratch / "podman"), "--runroot", str(scratch / "podman-run"),
              "--storage-driver", "vfs"]
    done = subprocess.run([*podman, "load", "-q", "-i", str(out)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert "docker.io/library/busybox:mine" in done.stdout
    ids = subprocess.run([*podman, "images", "-q", "--no-trunc"], capture_output=True, text=True,
                         check=True).stdout
    assert ids.strip() == box


def test_an_archive_holds_what_docker_expects(host, box, scratch):
    out = scratch / "saved"
    host.good("save", "-o", out, "busybox:mine")
    assert out.stat().st_mode & 0o777 == 0o600
    with tarfile.open(out) as archive:
        (image,) = json.load(archive.extractfile("manifest.json"))
        assert image["RepoTags"] == ["busybox:mine"] and len(image["Layers"]) == 2
        assert image["Config"] == f"blobs/sha256/{box[7:]}"
        for name in archive.getnames():
            if name.startswith("blobs/"):
                data = archive.extractfile(name).read()
                assert hashlib.sha256(data).hexdigest() == name.rsplit("/", 1)[1]


def test_a_damaged_blob_is_not_saved(host, box, scratch):
    blob = max((host.data / "blobs/sha256").glob("*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[100] ^= 1
    blob.write_bytes(data)
    result = host.run("save", "-o", scratch / "saved", box)
    assert result.returncode == 6 and blob.name in result.stderr and "hint: " in result.stderr
    assert not (scratch / "saved").exists()
    assert [path.name for path in scratch.glob(".saved*")] == []
    # A directory that the caller made stays, as empty as it was.
    (scratch / "mine").mkdir()
    assert host.run("save", "--format", "oci-dir", "-o", scratch / "mine", box).returncode == 6
    assert list((scratch / "mine").iterdir()) == []
    assert host.run("save", "--format", "oci-dir", "-o", scratch / "ours", box).returncode == 6
    assert not (scratch / "ours").exists()


def test_bad_input_is_refused_and_nothing_is_stored(host, scratch):
    (scratch / "text").write_text("no tar at all" * 100)
    (scratch / "empty").write_bytes(b"")
    with tarfile.open(scratch / "files.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("etc"))
    for name in ("text", "empty", "files.tar", "missing"):
        result = host.run("load", "-q", "-i", scratch / name)
        assert result.returncode in (3, 6), (name, result.stderr)
        assert name in result.stderr
    assert host.run("save", "-o", scratch / "out", "nothing").returncode == 3
    assert host.run("save", "--format", "zip", "x").returncode == 2
    assert not (scratch / "out").exists()
    assert listed(host) == {}
    for place in ("ingest", "leases", "refs"):
        assert list((host.data / place).iterdir()) == []


def test_a_directory_with_something_in_it_is_not_written_to(host, box, scratch):
    (scratch / "full").mkdir()
    (scratch / "full/mine").write_text("x")
    result = host.run("save", "--format", "oci-dir", "-o", scratch / "full", box)
    assert result.returncode != 0 and "not empty" in result.stderr
    assert [path.name for path in (scratch / "full").iterdir()] == ["mine"]


LIE = "docker.io/library/debian@sha256:" + "a1" * 32


def rename_in_layout(directory, key, name):
    index = json.loads((directory / "index.json").read_text())
    index["manifests"][0]["annotations"] = {key: name}
    (directory / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("name", [LIE, LIE.replace("@", ":12@")])
@pytest.mark.parametrize("key", ["io.containerd.image.name", "org.opencontainers.image.ref.name"])
def test_a_name_in_a_layout_with_another_images_digest_is_refused(host, scratch, key, name):
    layout = images.write_layout(scratch / "box", [images.Layer().add("x", b"x").bytes()])
    rename_in_layout(scratch / "box", key, name)
    commands = [("load", "-q", "-i", scratch / "box")]
    if key.startswith("org."):
        commands.append(("pull", "-q", layout.replace(":latest", ":" + name)))
    for words in commands:
        result = host.run(*words)
        assert result.returncode == 3, result.stderr
        assert name in result.stderr and "hint: " in result.stderr
        assert list((host.data / "refs").iterdir()) == []
        assert list((host.data / "blobs/sha256").glob("*/*")) == []


def test_a_further_name_in_a_layout_may_not_lie_either(host, scratch):
    images.write_layout(scratch / "box", [images.Layer().add("x", b"x").bytes()])
    index = json.loads((scratch / "box/index.json").read_text())
    (entry,) = index["manifests"]
    index["manifests"] = [{**entry, "annotations": {"io.containerd.image.name": name}}
                          for name in ("docker.io/library/good:1", LIE)]
    (scratch / "box/index.json").write_text(json.dumps(index))
    result = host.run("load", "-q", "-i", scratch / "box")
    assert result.returncode == 3 and LIE in result.stderr
    assert listed(host) == {}


def test_a_name_in_a_layout_with_the_images_own_digest_is_kept(host, scratch):
    images.write_layout(scratch / "box", [images.Layer().add("x", b"x").bytes()])
    (entry,) = json.loads((scratch / "box/index.json").read_text())["manifests"]
    name = f"docker.io/library/debian@{entry['digest']}"
    rename_in_layout(scratch / "box", "io.containerd.image.name", name)
    assert host.good("load", "-q", "-i", scratch / "box") == f"Loaded image: debian@{entry['digest']}\n"
    host.good("image", "inspect", name)


def test_a_name_with_a_digest_in_a_docker_archive_is_refused(host, other, box, scratch):
    host.good("save", "--format", "docker-archive", "-o", scratch / "saved", "busybox:mine")
    with tarfile.open(scratch / "saved") as old, tarfile.open(scratch / "lie", "w") as new:
        for member in old.getmembers():
            data = old.extractfile(member).read() if member.isfile() else b""
            if member.name in ("oci-layout", "index.json"):
                continue
            if member.name == "manifest.json":
                data = json.dumps([{**json.loads(data)[0], "RepoTags": [LIE]}]).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    for words in (("load", "-q", "-i", scratch / "lie"),
                  ("pull", "-q", f"docker-archive:{scratch}/lie")):
        result = other.run(*words)
        assert result.returncode == 3, result.stderr
        assert LIE in result.stderr and "hint: " in result.stderr
        assert listed(other) == {}


def many_images(scratch, saved, count):
    """The archive once more, with `count` images that share everything but their names."""
    path = scratch / f"many-{count}"
    with tarfile.open(saved) as old, tarfile.open(path, "w") as new:
        for member in old.getmembers():
            data = old.extractfile(member).read() if member.isfile() else b""
            if member.name in ("oci-layout", "index.json"):
                continue
            if member.name == "manifest.json":
                (image,) = json.loads(data)
                data = json.dumps([{**image, "RepoTags": [f"many:{i}"]} for i in range(count)]).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return path


def test_an_archive_of_many_images_is_loaded_and_one_of_too_many_refused(host, other, box, scratch):
    host.good("save", "--format", "docker-archive", "-o", scratch / "saved", "busybox:mine")
    result = other.run("load", "-q", "-i", many_images(scratch, scratch / "saved", 1001))
    assert result.returncode == 5, result.stderr
    assert "more than the 1000 images allowed" in result.stderr
    assert listed(other) == {}
    other.good("load", "-q", "-i", many_images(scratch, scratch / "saved", 200), timeout=300)
    assert listed(other) == {box: sorted(f"many:{i}" for i in range(200))}


def test_a_layer_that_is_not_what_the_configuration_says_is_refused_also_when_that_one_is_stored(host, scratch):
    tar, other = images.Layer().add("x", b"x").bytes(), images.Layer().add("y", b"y").bytes()
    host.good("pull", "-q", images.write_layout(scratch / "honest", [tar]))
    layout = images.write_layout(scratch / "lie", [other])
    blobs = scratch / "lie/blobs/sha256"

    def replace(digest, old, new):
        """A document with another text in it, under its new digest."""
        data = (blobs / digest).read_bytes().replace(old.encode(), new.encode())
        changed = hashlib.sha256(data).hexdigest()
        (blobs / changed).write_bytes(data)
        return changed

    index = json.loads((scratch / "lie/index.json").read_text())
    manifest = index["manifests"][0]["digest"][7:]
    config = json.loads((blobs / manifest).read_text())["config"]["digest"][7:]
    lie = replace(config, hashlib.sha256(other).hexdigest(), hashlib.sha256(tar).hexdigest())
    index["manifests"][0]["digest"] = "sha256:" + replace(manifest, config, lie)
    (scratch / "lie/index.json").write_text(json.dumps(index))
    for _ in range(2):  # the second time its blob is stored, too
        result = host.run("pull", "-q", layout)
        assert result.returncode == 3, result.stderr
        assert f"its tar is sha256:{hashlib.sha256(other).hexdigest()}" in result.stderr
    assert len(listed(host)) == 1
