"""The files of an image are the same, to the last attribute, as those that podman and umoci make of it.

Eleven images, of Debian's packages but for three. All are compared with umoci's; with podman's two, with
KNARR_ALL_TREES=1 all."""

import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

import images
import trees

pytestmark = pytest.mark.usefixtures("needs_root")

# Of Debian, small, and such that together they have most of what packages have.
PACKAGES = {
    "base": ["base-files", "base-passwd"],
    "shell": ["base-files", "dash"],
    "mounts": ["base-files", "mount"],  # set-user-ID
    "logins": ["base-files", "passwd", "login"],  # set-user-ID, set-group-ID
    "archives": ["tar", "gzip"],  # hard links
    "words": ["sed", "grep", "diffutils"],
    "files": ["findutils", "debianutils"],
    "init": ["init-system-helpers", "sysvinit-utils"],
}


def has_package(name):
    return pathlib.Path(f"/var/lib/dpkg/info/{name}.list").exists() or \
        list(pathlib.Path("/var/lib/dpkg/info").glob(f"{name}:*.list"))


def package_layer(name):
    """The files of an installed package as a layer's tar."""
    listed = subprocess.run(["dpkg", "-L", name], check=True, capture_output=True, text=True).stdout
    paths = []
    for path in map(pathlib.Path, listed.splitlines()):
        if path.exists() and path.name and "locale" not in path.parts:
            # Where /bin is a link, a package's /bin/x lies in /usr/bin.
            paths.append(str(path.parent.resolve() / path.name)[1:])
    packed = subprocess.run(["tar", "-C", "/", "--no-recursion", "-H", "posix", "--xattrs", "--xattrs-include=*", "-cf",
                             "-", "-T", "-"], input="\n".join(paths).encode(), capture_output=True, check=False)
    assert packed.returncode in (0, 1), packed.stderr  # 1: a directory changed meanwhile
    return packed.stdout


def odd_layer():
    """One file of every kind, with every attribute."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        def add(name, kind=tarfile.REGTYPE, data=b"", mode=0o644, link="", pax=None, **more):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(data)
            entry.mtime, entry.pax_headers = 1_600_000_000, pax or {}
            for key, value in more.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(data))

        capability = bytes.fromhex("0100000200040000000000000000000000000000").decode("latin-1")
        add("odd", tarfile.DIRTYPE, mode=0o2751, uid=3, gid=70_000)
        add("odd/sticky", tarfile.DIRTYPE, mode=0o1777)
        add("odd/suid", data=b"x" * 5000, mode=0o6755, uid=1000, gid=1001)
        add("odd/hard", tarfile.LNKTYPE, link="odd/suid", mode=0o6755, uid=1000, gid=1001)
        add("odd/" + "n" * 200, data=b"long", pax={"mtime": "1500000000.123456789"})
        add("ü" * 60 + "/deep", data=b"deep")  # the directory is not told of
        add("odd/link", tarfile.SYMTYPE, mode=0o777, link="../etc/os-release", uid=7, gid=8)
        add("odd/char", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3)
        add("odd/block", tarfile.BLKTYPE, mode=0o660, gid=6, devmajor=259, devminor=70_000)
        add("odd/fifo", tarfile.FIFOTYPE, mode=0o600)
        add("odd/empty")
        add("odd/future", data=b"f", pax={"mtime": "4102444800.5"})
        add("odd/attr", data=b"a", pax={"SCHILY.xattr.user.note": "hello"})
        add("odd/capable", data=b"c", mode=0o755, pax={"SCHILY.xattr.security.capability": capability})
    return buffer.getvalue()


def upper_layer():
    layer = images.Layer().directory("odd", 0o755, uid=3, gid=70_000)
    layer.directory("gone").add("odd/.wh.empty", b"").add("gone/.wh..wh..opq", b"").add("gone/only", b"1")
    return layer.bytes()


def many_layers():
    """110 layers: each adds a file, takes one of an earlier one away or changes it."""
    layers = []
    for number in range(110):
        layer = images.Layer().directory("d")
        layer.add(f"d/file-{number}", str(number).encode(), uid=number)
        if number % 3 == 2:
            layer.add(f"d/.wh.file-{number - 2}", b"")
        if number % 3 == 1:
            layer.add(f"d/file-{number - 1}", b"changed", mode=0o600)
        layers.append(layer.bytes())
    return layers


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """{name: (directory, reference)} of the images."""
    place = tmp_path_factory.mktemp("layouts")
    made = {}

    def add(name, layers):
        made[name] = (place / name, images.write_layout(place / name, layers))

    for name, packages in PACKAGES.items():
        if all(has_package(package) for package in packages):
            add(name, [package_layer(package) for package in packages])
    lower = images.Layer().directory("gone").add("gone/hidden", b"h").add("gone/also", b"a").bytes()
    add("odd", [lower, odd_layer(), upper_layer()])
    add("linked", [odd_layer(), images.Layer().add("again", kind=tarfile.LNKTYPE, link="odd/attr",
                                                        pax={"SCHILY.xattr.user.note": "hello"}).bytes()])
    add("many", many_layers())
    return made


@pytest.fixture(scope="module")
def expected(layouts, tmp_path_factory):
    """What umoci makes of each image."""
    if shutil.which("umoci") is None:
        pytest.skip("needs umoci")
    place = tmp_path_factory.mktemp("umoci")
    found = {}
    for name, (directory, _) in layouts.items():
        subprocess.run(["umoci", "unpack", "--image", f"{directory}:latest", place / name], check=True,
                       capture_output=True)
        found[name] = comparable(trees.snapshot(place / name / "rootfs"))
        shutil.rmtree(place / name)
    return found


def comparable(tree):
    """Without what the image does not say: the times of the root and of directories that no layer lists."""
    for name, entry in tree.items():
        if name == ".":  # nor what mode it has
            entry.pop("mode", None)
        if entry["kind"] == 0o040000:
            entry.pop("mtime", None)
    return tree


def knarr_tree(host, reference, driver):
    host.good("--snapshot-driver", driver, "pull", "-q", reference)
    identifier = json.loads(host.good("images", "--json"))[0]["Id"]
    place = host.good("image", "mount", identifier).strip()
    try:
        return comparable(trees.snapshot(place))
    finally:
        host.good("image", "unmount", identifier)


@pytest.fixture(params=["dir", "erofs"])
def driver(request, knarr_path, scratch):
    host = images.Host(knarr_path, scratch)
    feature = json.loads(host.good("info", "--json"))["features"]["erofs_layers"]
    if request.param == "erofs" and not feature["available"]:
        pytest.skip(f"needs EROFS mounts: {feature['reason']}")
    return request.param


def test_the_trees_are_umocis(knarr_path, scratch, layouts, expected, driver):
    assert len(expected) >= 5, f"too few packages are installed: {sorted(expected)}"
    for name, tree in expected.items():
        host = images.Host(knarr_path, scratch / name)
        host.scratch.mkdir()
        assert trees.differences(knarr_tree(host, layouts[name][1], driver), tree) == [], name
        assert host.traces() == []


@pytest.fixture(scope="module")
def podmans(layouts, tmp_path_factory):
    """What podman makes of the images: all ten where somebody has the time, else the two richest."""
    if shutil.which("podman") is None:
        pytest.skip("needs podman")
    place = tmp_path_factory.mktemp("podman")
    podman = ["podman", "--root", place / "root", "--runroot", place / "run", "--storage-driver", "overlay"]

    def run(*words):
        return subprocess.run([*podman, *words], check=True, capture_output=True, text=True).stdout.strip()

    found = {}
    # It cannot apply a hard link to a file of a lower layer.
    names = [name for name in layouts if name != "linked"] if os.environ.get("KNARR_ALL_TREES") else ["odd", "many"]
    for name in names:
        identifier = run("pull", "-q", f"oci:{layouts[name][0]}:latest").split()[-1]
        found[name] = comparable(trees.snapshot(run("image", "mount", identifier)))
        run("image", "unmount", identifier)
    run("rmi", "-af")
    return found


def test_the_trees_are_podmans(knarr_path, scratch, layouts, podmans, driver):
    for name, tree in podmans.items():
        host = images.Host(knarr_path, scratch / name)
        host.scratch.mkdir()
        assert trees.differences(knarr_tree(host, layouts[name][1], driver), tree) == [], name
        assert host.traces() == []
