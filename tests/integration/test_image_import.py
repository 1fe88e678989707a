"""import: a root file system's tar as an image; image mount: an image's files on the host."""

import gzip
import json
import lzma
import os
import pathlib
import shutil
import subprocess

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def host(knarr_path, scratch):
    made = images.Host(knarr_path, scratch)
    yield made
    made.run("image", "unmount", "--all", "--force")


@pytest.fixture
def rootfs(scratch):
    """The path of a tar with busybox in it."""
    path = scratch / "rootfs.tar"
    path.write_bytes(images.base_layer())
    return path


def listed(host):
    return {image["Id"]: image["RepoTags"] for image in json.loads(host.good("images", "--json"))}


def mounts():
    return pathlib.Path("/proc/self/mountinfo").read_text()


def stored(host):
    """What of an image is in the store."""
    return [path for place in ("refs", "ingest", "leases") for path in (host.data / place).iterdir()]


def test_an_imported_tar_is_an_image_that_runs(host, rootfs):
    identifier = host.good("import", "-q", "-c", "CMD [\"cat\", \"/etc/os-release\"]", "-c", "ENV WHO=me",
                           "--change", "WORKDIR /srv", "-m", "by hand", rootfs, "mine:1").strip()
    assert listed(host) == {identifier: ["mine:1"]}
    assert host.good("run", "--rm", "mine:1") == "ID=knarr-test\n"
    assert host.good("run", "--rm", "mine:1", "sh", "-c", "echo $WHO; pwd") == "me\n/srv\n"
    (step,) = json.loads(host.good("history", "--json", "mine:1"))
    assert step["Comment"] == "by hand"
    assert host.run("image", "verify").returncode == 0


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: data])
def test_it_may_come_through_a_pipe_and_compressed(host, rootfs, pack):
    done = subprocess.run(host.command("image", "import", "-q", "-"), input=pack(rootfs.read_bytes()),
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    identifier = done.stdout.decode().strip()
    assert listed(host) == {identifier: []}
    assert "knarr-test" in host.good("run", "--rm", identifier, "cat", "/etc/os-release")
    (step,) = json.loads(host.good("history", "--json", identifier))
    assert step["Comment"] == "Imported from -"


def test_what_is_imported_is_saved_and_read_by_podman(host, rootfs, scratch):
    if not shutil.which("podman"):
        pytest.skip("needs podman")
    identifier = host.good("import", "-q", "-c", "EXPOSE 80", "-c", "LABEL a=b", rootfs, "mine:1").strip()
    host.good("save", "-o", scratch / "saved", "mine:1")
    podman = ["podman", "--root", str(scratch / "podman"), "--runroot", str(scratch / "podman-run"),
              "--storage-driver", "vfs"]
    subprocess.run([*podman, "load", "-q", "-i", str(scratch / "saved")], capture_output=True, check=True)
    shown = json.loads(subprocess.run([*podman, "image", "inspect", "docker.io/library/mine:1"], capture_output=True,
                                      check=True).stdout)[0]
    assert f"sha256:{shown['Id']}" == identifier
    assert shown["Config"]["ExposedPorts"] == {"80/tcp": {}} and shown["Labels"] == {"a": "b"}


@pytest.mark.parametrize("words, said", [
    (["-c", "RUN make", "rootfs.tar"], "none of CMD"), (["-c", "EXPOSE x", "rootfs.tar"], "PORT"),
    (["rootfs.tar", "UPPER:1"], "UPPER"), (["rootfs.tar", "a", "b"], "at most one name"), ([], "FILE"),
    (["rootfs.tar", "mine@sha256:" + "a" * 64], "digest"),
    (["http://example.org/x.tar"], "network"), (["missing.tar"], "missing.tar"), (["text"], "text"),
    (["rootfs.tar.xz"], "xz -dc"), (["empty"], "empty"), (["--platform", "a/b/c/d", "rootfs.tar"], "a/b/c/d"),
])
def test_bad_input_is_refused_and_nothing_is_stored(host, rootfs, scratch, words, said):
    (scratch / "text").write_text("this is no tar at all, whatever you say" * 40)
    (scratch / "empty").write_bytes(b"")
    (scratch / "rootfs.tar.xz").write_bytes(lzma.compress(rootfs.read_bytes()[:100000]))
    result = host.run("import", "-q", *words, cwd=scratch)
    assert result.returncode in (2, 3, 5, 6), result.stderr
    assert said in result.stderr and result.stdout == ""
    assert not host.data.exists() or stored(host) == []


@pytest.mark.parametrize("verb", ["import", "load"])
@pytest.mark.parametrize("at, said", [(-8, "incorrect checksum"), (-4, "incorrect length")])
def test_what_gzip_says_of_itself_is_compared_where_no_digest_is(host, rootfs, scratch, verb, at, said):
    data = bytearray(gzip.compress(rootfs.read_bytes(), 1))
    data[at] ^= 1
    (scratch / "damaged.tar.gz").write_bytes(data)
    words = ["-i"] if verb == "load" else []
    result = host.run(verb, "-q", *words, "damaged.tar.gz", cwd=scratch)
    assert result.returncode == 3 and said in result.stderr and "damaged.tar.gz" in result.stderr, result.stderr
    assert stored(host) == []


def test_a_hostile_tar_is_refused_as_a_layer_is(host, scratch):
    (scratch / "evil.tar").write_bytes(images.Layer().symlink("out", "/etc").add("out/evil", b"x").bytes())
    result = host.run("import", "-q", "evil.tar", cwd=scratch)
    assert result.returncode == 3 and "evil" in result.stderr
    assert stored(host) == [] and not pathlib.Path("/etc/evil").exists()


@pytest.fixture
def two_layers(host, scratch):
    upper = images.Layer().add("new", b"upper").add("etc/.wh.os-release", b"")
    layout = images.write_layout(scratch / "box", [images.base_layer(), upper.bytes()])
    return host.good("pull", "-q", layout).strip()


def test_a_mounted_image_shows_its_files_and_cannot_be_changed(host, two_layers):
    path = pathlib.Path(host.good("image", "mount", two_layers).strip())
    assert (path / "new").read_text() == "upper"
    assert (path / "bin/busybox").exists() and not (path / "etc/os-release").exists()
    with pytest.raises(OSError, match="Read-only"):
        (path / "mine").write_text("x")
    options = next(line for line in mounts().splitlines() if f" {path} " in line).split()[5].split(",")
    assert {"ro", "nosuid", "nodev"} <= set(options)
    assert (path.parent.stat().st_mode & 0o777, path.parent.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    (shown,) = json.loads(host.good("image", "mount", "--json"))
    assert shown["id"] == two_layers and shown["mountpoint"] == str(path) and shown["Mounts"] == 1
    assert str(path) in host.good("image", "mount")
    assert host.good("image", "unmount", two_layers).strip() == two_layers
    assert str(path) not in mounts() and list((host.data / "mounts").iterdir()) == []
    result = host.run("image", "umount", two_layers)
    assert result.returncode == 1 and "not mounted" in result.stderr


def test_an_image_of_one_layer_is_mounted_as_well(host, rootfs):
    host.good("import", "-q", rootfs, "mine:1")
    path = pathlib.Path(host.good("image", "mount", "mine:1").strip())
    assert (path / "etc/os-release").read_text() == "ID=knarr-test\n"
    with pytest.raises(OSError, match="Read-only"):
        (path / "mine").write_text("x")
    host.good("image", "unmount", "mine:1")
    assert str(path) not in mounts()


def test_mounts_are_counted_and_the_last_one_unmounts(host, two_layers):
    path = host.good("image", "mount", two_layers).strip()
    assert host.good("image", "mount", two_layers).strip() == path
    assert json.loads(host.good("image", "mount", "--json"))[0]["Mounts"] == 2
    host.good("image", "unmount", two_layers)
    assert path in mounts()
    host.good("image", "unmount", two_layers)
    assert path not in mounts()
    for _ in range(3):
        host.good("image", "mount", two_layers)
    host.good("image", "unmount", "--all")
    assert path not in mounts() and json.loads(host.good("image", "mount", "--json")) == []


def test_a_mounted_image_stays_whatever_collects(host, two_layers):
    path = pathlib.Path(host.good("image", "mount", two_layers).strip())
    result = host.run("rmi", two_layers)
    assert result.returncode == 3 and str(path) in result.stderr and "image unmount" in result.stderr
    host.good("image", "prune", "--all", "--force")
    host.good("untag", two_layers)
    host.good("image", "prune", "--force")
    host.good("image", "gc")
    assert (path / "new").read_text() == "upper" and two_layers in listed(host)
    host.good("image", "unmount", two_layers)
    host.good("rmi", two_layers)
    assert listed(host) == {} and list((host.data / "layers").iterdir()) == []


def test_what_is_in_use_is_unmounted_by_force_only(host, two_layers):
    path = host.good("image", "mount", two_layers).strip()
    inside = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        result = host.run("image", "unmount", two_layers)
        assert result.returncode == 3 and "in use" in result.stderr and "--force" in result.stderr
        assert path in mounts() and len(json.loads(host.good("image", "mount", "--json"))) == 1
        host.good("image", "unmount", "--force", two_layers)
        assert path not in mounts()
    finally:
        os.close(inside)


def test_a_record_whose_mount_is_gone_is_forgotten(host, two_layers):
    path = host.good("image", "mount", two_layers).strip()
    subprocess.run(["umount", path], check=True)
    assert json.loads(host.good("image", "mount", "--json")) == []
    assert list((host.data / "mounts").iterdir()) == []
    host.good("rmi", two_layers)


def test_a_mount_that_fails_or_is_killed_leaves_nothing(breakable_knarr, scratch):
    host = images.Host(breakable_knarr, scratch)
    layout = images.write_layout(scratch / "box", [images.base_layer()])
    identifier = host.good("pull", "-q", layout).strip()
    before = mounts()
    assert host.run("image", "mount", identifier, fault="image.mount").returncode == 70
    assert list((host.data / "mounts").iterdir()) == []
    assert host.run("image", "mount", identifier, fault="image.mount=kill").returncode == -9
    assert json.loads(host.good("image", "mount", "--json")) == [] and mounts() == before
    path = host.good("image", "mount", identifier).strip()
    host.good("image", "unmount", identifier)
    assert path not in mounts()


def test_wrong_usage(host, two_layers):
    for words in (["unmount"], ["unmount", "--all", "x"], ["mount", "--all", "x"], ["mount", "--format", "x"]):
        assert host.run("image", *words).returncode == 2, words
    assert host.run("image", "mount", "nothing").returncode == 3
    assert not (host.data / "mounts").exists() or list((host.data / "mounts").iterdir()) == []
