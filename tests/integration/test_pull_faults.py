"""A pull that fails or is killed at every named point: the store stays whole, the next pull works."""

import hashlib
import pathlib
import re

import pytest

import images
from conftest import ROOT

pytestmark = pytest.mark.usefixtures("needs_root")

POINTS = ["pull.blob", "store.blob.commit", "layer.sync", "pull.ref"]
MOUNT = "layer.mount"  # a layer of the driver erofs, when a container needs it
MERGE = {"layer.merge", "layer.merge.sync", "layer.merge.name"}  # see test_snapshot_drivers.py
INFLATE = "layer.inflate"  # the process that decompresses is killed; see src/layer/hostile_test.cpp
IMAGE = "layer.image"  # an EROFS image that is not knarr's; see test_snapshot_drivers.py
PLACE = ("place.looked_at", "place.made")  # test_attack_program.py
COLLECTION = "store.collect"  # layers are hidden by then, blobs are still there


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    extra = images.Layer().add("etc/extra", b"second layer").bytes()
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer(), extra])


@pytest.fixture
def host(breakable_knarr, scratch):
    return images.Host(breakable_knarr, scratch)


def staged(host):
    return sorted(map(str, [*(host.data / "ingest").glob("*"), *(host.data / "layers").glob(".tmp-*")]))


def blobs(host):
    return [path for path in (host.data / "blobs").rglob("*") if path.is_file()]


def test_no_point_is_forgotten():
    found = set()
    for room in ("image", "store", "layer"):
        for path in (ROOT / "src" / room).rglob("*.cpp"):
            found |= set(re.findall(r'fault_point\("([^"]+)"\)', path.read_text()))
    assert found == {*POINTS, *MERGE, COLLECTION, MOUNT, INFLATE, IMAGE, *PLACE}


@pytest.mark.parametrize("how", ["", "=kill"])
@pytest.mark.parametrize("point", POINTS)
def test_a_pull_that_ended_half_way_can_be_repeated(host, layout, point, how):
    done = host.run("pull", "-q", layout, fault=point + how)
    if how:
        assert done.returncode == -9
    else:
        assert done.returncode > 0 and point in done.stderr
        assert staged(host) == []
    for path in blobs(host):
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
    assert host.good("images", "-q") == "", "an image that is not whole has a name"
    host.good("pull", "-q", layout)
    assert staged(host) == []
    assert host.good("run", "--rm", "-q", "localhost/box", "cat", "/etc/extra") == "second layer"
    assert host.traces() == []


@pytest.mark.parametrize("point", POINTS)
def test_nothing_of_a_killed_pull_stays_for_ever(host, layout, point):
    host.run("pull", "-q", layout, fault=f"{point}=kill")
    host.good("pull", "-q", layout)
    host.good("rmi", "localhost/box")
    assert blobs(host) == []
    assert staged(host) == []
    assert list((host.data / "layers").glob("[!.]*")) == []


@pytest.mark.parametrize("how", ["", "=kill"])
def test_a_collection_that_ended_half_way_harms_nothing(host, layout, how):
    host.good("pull", "-q", layout)
    for reference in (host.data / "refs").iterdir():
        reference.unlink()
    assert host.run("image", "gc", fault=COLLECTION + how).returncode != 0
    assert blobs(host) != []
    host.good("pull", "-q", layout)
    assert staged(host) == []
    assert host.run("image", "verify").returncode == 0
    assert host.good("run", "--rm", "-q", "localhost/box", "cat", "/etc/extra") == "second layer"
    host.good("rmi", "localhost/box")
    assert blobs(host) == []


@pytest.mark.parametrize("how", ["", "=kill"])
def test_a_mount_that_fails_leaves_what_gc_removes(host, layout, monkeypatch, how):
    monkeypatch.setenv("KNARR_SNAPSHOT_DRIVER", "erofs")
    if host.run("pull", "-q", layout).returncode != 0:
        pytest.skip("the kernel has no EROFS")
    assert host.run("run", "--rm", layout, "true", fault=MOUNT + how).returncode != 0
    host.good("image", "gc")
    assert str(host.data) not in pathlib.Path("/proc/self/mounts").read_text()
    assert host.run("run", "--rm", layout, "true").returncode == 0
