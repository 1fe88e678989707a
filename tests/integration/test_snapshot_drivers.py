"""The forms in which layers are kept: what containers see is the same, and they stack on each other."""

import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile
import time

import pytest

import images
from conftest import ROOT

pytestmark = pytest.mark.usefixtures("needs_root")

DRIVERS = ["dir", "erofs", "erofs-loop"]


class DriverHost(images.Host):
    """A host whose knarr uses one driver."""

    def use(self, driver):
        if driver == "erofs-loop" and not pathlib.Path("/dev/loop-control").exists():
            pytest.skip("needs loop devices")
        self.env = dict(os.environ, KNARR_SNAPSHOT_DRIVER=driver.split("-")[0])
        if driver == "erofs-loop":
            self.env["KNARR_EROFS_BACKING"] = "loop"
        return self

    def run(self, *words, **options):
        options.setdefault("env", self.env)
        return super().run(*words, **options)

    def info(self):
        return json.loads(self.good("info", "--json"))

    def kinds(self):
        """How many layers of each kind are stored."""
        found = [dict(line.split(" ", 1) for line in meta.read_text().splitlines())["driver"]
                 for meta in (self.data / "layers").glob("[!.]*/meta")]
        return {kind: found.count(kind) for kind in set(found)}

    def mounts(self):
        return [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
                if str(self.scratch) in line]


@pytest.fixture
def host(knarr_path, scratch):
    host = DriverHost(knarr_path, scratch).use("dir")
    features = host.info()["features"]
    if not features["erofs_layers"]["available"]:
        pytest.skip(f"needs EROFS mounts: {features['erofs_layers']['reason']}")
    yield host
    assert host.traces() == []


def odd_layer():
    """Every kind of file that a layer can hold."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        def add(name, kind=tarfile.REGTYPE, data=b"", mode=0o644, link="", pax=None, **more):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(data)
            entry.mtime, entry.pax_headers = 1_600_000_000, pax or {}
            for key, value in more.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(data))

        add("odd", tarfile.DIRTYPE, mode=0o2751, uid=3, gid=70_000)
        add("odd/suid", data=b"x" * 5000, mode=0o6755, uid=1000, gid=1001)
        add("odd/hard", tarfile.LNKTYPE, link="odd/suid")
        add("odd/" + "n" * 200, data=b"long", pax={"mtime": "1500000000.123456789"})
        add("odd/link", tarfile.SYMTYPE, mode=0o777, link="../etc/os-release")
        add("odd/char", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3)
        add("odd/fifo", tarfile.FIFOTYPE, mode=0o600)
        add("odd/empty")
        add("odd/attr", data=b"a", pax={"SCHILY.xattr.user.note": "hello"})
        add("odd/sparse", data=b"data", pax={"GNU.sparse.size": "3000000", "GNU.sparse.map": "1000001,4"})
        add("odd/untold/deep", data=b"d")  # the directory is not told of, and its parent hands on its group
        add("twice", data=b"first")
        add("twice", data=b"second one")
        for number in range(3000):
            add(f"many/file-{number}", data=str(number).encode())
    return buffer.getvalue()


def upper_layer():
    layer = images.Layer()
    layer.add("odd/.wh.empty", b"").add("many/.wh..wh..opq", b"").add("many/only", b"1")
    layer.add("again", kind=tarfile.LNKTYPE, link="odd/suid")  # a file of a layer below
    return layer.bytes()


# The count of links of odd/hard is left out: overlayfs still counts the name that the upper layer hides, where the
# layers are mounted one by one.
LOOK = """
cd /; for f in odd/* again twice; do
  stat -c '%n %F %a %u %g %h %Y %t:%T' "$f" | sed '/^odd.hard/s/1001 [12]/1001/'; [ -d "$f" ] || stat -c '%s' "$f"; done
cat odd/link twice; dd if=odd/sparse bs=1 skip=1000000 count=6 2>/dev/null | od -c 2>/dev/null
grep -c . odd/sparse; ls many; stat -c "%F %a %u %g" odd many; wc -c odd/sparse odd/hard again
echo new > odd/suid; cat again odd/hard | wc -c; rm -r many; ls / | wc -l
"""


@pytest.fixture
def image(scratch):
    return images.write_layout(scratch / "image", [images.base_layer(), odd_layer(), upper_layer()])


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_container_sees_the_same_with_each_driver(host, scratch, image, driver):
    expected = host.use("dir").good("run", "--rm", "-q", image, "sh", "-c", LOOK)
    assert "odd/suid regular file 6755 1000 1001 2" in expected, expected
    other = DriverHost(host.knarr, scratch)
    other.root, other.data = scratch / "run2", scratch / "data2"
    other.use(driver)
    assert other.good("run", "--rm", "-q", image, "sh", "-c", LOOK) == expected
    assert other.kinds() == {driver.split("-")[0]: 3}
    assert other.mounts() == []


def test_trees_are_equal_down_to_times_and_attributes(host, scratch, image):
    """Compared from outside, by the same walk over both overlays."""
    seen = {}
    for driver in ("dir", "erofs"):
        one = DriverHost(host.knarr, scratch)
        one.root, one.data = scratch / f"run-{driver}", scratch / f"data-{driver}"
        one.use(driver)
        pause = subprocess.Popen(one.command("run", "--rm", "-i", "-q", image, "sh", "-c", "echo up; read x"),
                                 env=one.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert pause.stdout.readline() == "up\n"
        deadline = time.monotonic() + 60
        while not (pid := one.containers()[0]["pid"]):  # the record follows the program
            assert time.monotonic() < deadline
        seen[driver] = walk(pathlib.Path(f"/proc/{pid}/root"))
        pause.communicate("\n", timeout=60)
        for own in ("./.dockerenv", "etc/mtab"):
            del seen[driver][own]  # the data root's, and of its own time
    assert len(seen["dir"]) > 40
    assert seen["erofs"] == seen["dir"]


def walk(root):
    """Path -> what an image can say of it; directories that knarr mounts are left out."""
    found, first = {}, {}
    for folder, folders, files in os.walk(root):
        relative = os.path.relpath(folder, root)
        if relative == ".":
            folders[:] = [name for name in folders if name not in ("proc", "sys", "dev", "run")]
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            key = os.path.join(relative, name)
            if relative == "etc" and name in ("hosts", "hostname", "resolv.conf"):  # knarr's own
                continue
            entry = [oct(info.st_mode), info.st_uid, info.st_gid, info.st_mtime_ns, info.st_rdev]
            if not os.path.isdir(path) or os.path.islink(path):
                # Not the count of links: see LOOK.
                entry += [info.st_size, first.setdefault((info.st_dev, info.st_ino), key)]
            if os.path.islink(path):
                entry.append(os.readlink(path))
            elif os.path.isfile(path):
                entry += [pathlib.Path(path).read_bytes(),
                          {name: os.getxattr(path, name) for name in os.listxattr(path)}]
            found[key] = entry
    return {key: value for key, value in found.items()
            # A directory that no tar names has whatever time.
            if key not in ("./dev", "./proc", "./sys", "./run", "./etc", "./many", "./odd")}


@pytest.mark.parametrize("words", [["run"], ["run", "-d"], ["run", "-t"], ["create"]], ids=" ".join)
def test_each_way_to_run_an_image_keeps_to_the_driver(host, scratch, words):
    del host.env["KNARR_SNAPSHOT_DRIVER"]
    image = images.write_layout(scratch / "box", [images.base_layer()])
    default = host.info()["snapshotDriver"]
    other = "dir" if default == "erofs" else "erofs"
    done = host.run("--snapshot-driver", other, *words, "-q", image, "true", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert host.kinds() == {other: 1}
    for container in host.containers():
        host.good("wait", container["id"])
        host.good("rm", "-f", container["id"])


def test_layers_of_both_kinds_stack_on_each_other(host, scratch):
    base = images.write_layout(scratch / "base", [images.base_layer(), odd_layer()])
    whole = images.write_layout(scratch / "whole", [images.base_layer(), odd_layer(), upper_layer()])
    expected = host.use("dir").good("run", "--rm", "-q", whole, "sh", "-c", LOOK)
    for first, second in (("dir", "erofs"), ("erofs", "dir")):
        mixed = DriverHost(host.knarr, scratch)
        mixed.root, mixed.data = scratch / f"run-{first}", scratch / f"data-{first}"
        mixed.use(first).good("pull", "-q", base)
        mixed.use(second)
        assert mixed.good("run", "--rm", "-q", whole, "sh", "-c", LOOK) == expected
        assert mixed.kinds() == {first: 2, second: 1}


def test_containers_share_a_mount_that_goes_with_the_last(host, image):
    host.use("erofs").good("pull", "-q", image)
    assert host.mounts() == []
    running = []
    for _ in range(2):
        one = subprocess.Popen(host.command("run", "--rm", "-i", "-q", image, "sh", "-c", "echo up; read x"),
                               env=host.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert one.stdout.readline() == "up\n"
        running.append(one)
        assert len(host.mounts()) == 1
    # Nothing that is in use goes, whoever asks.
    host.good("image", "gc")
    assert host.run("rmi", image).returncode != 0
    for left, one in zip((1, 0), running):
        one.communicate("\n", timeout=60)
        assert one.returncode == 0
        assert len(host.mounts()) == left


def test_what_a_kill_leaves_mounted_goes_with_gc(host, image):
    host.use("erofs").good("pull", "-q", image)
    one = subprocess.Popen(host.command("run", "--rm", "-i", "-q", image, "sh", "-c", "echo up; read x"),
                           env=host.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert one.stdout.readline() == "up\n"
    one.kill()
    one.wait()
    one.stdin.close()
    for container in host.containers():
        host.good("delete", "--force", container["id"])
    host.good("image", "gc")
    assert host.mounts() == []
    assert host.good("run", "--rm", "-q", image, "cat", "twice").startswith("second one")


def test_an_image_of_128_layers_runs(host, scratch):
    layers = [images.base_layer()]
    layers += [images.Layer().add(f"layer-{number}", str(number).encode()).bytes() for number in range(127)]
    image = images.write_layout(scratch / "deep", layers)
    host.use("erofs")
    assert host.good("run", "--rm", "-q", image, "sh", "-c", "ls -d /layer-* | wc -l").strip() == "127"
    assert host.mounts() == []


@pytest.mark.parametrize("driver", ["dir", "erofs"])
def test_an_opaque_root_hides_all_below(host, scratch, driver):
    layers = [images.Layer().add("hidden", b"h").bytes(),
              images.Layer().add(".wh..wh..opq", b"").bytes(), images.base_layer()]
    image = images.write_layout(scratch / "opaque", layers)
    result = host.use(driver).run("run", "--rm", "-q", image, "cat", "/hidden")
    assert result.returncode == 1 and "No such file" in result.stderr


def test_info_names_the_driver_and_a_wrong_one_is_refused(host):
    assert host.use("dir").info()["snapshotDriver"] == "dir"
    assert host.use("erofs").info()["snapshotDriver"] == "erofs"
    assert json.loads(host.good("--snapshot-driver", "dir", "info", "--json"))["snapshotDriver"] == "dir"
    result = host.run("--snapshot-driver", "zfs", "images")
    assert result.returncode != 0 and '"zfs" is none of erofs, dir' in result.stderr
    result = host.run("images", env=dict(os.environ, KNARR_SNAPSHOT_DRIVER="btrfs"))
    assert result.returncode != 0 and '"btrfs"' in result.stderr


def test_without_a_word_erofs_is_taken_where_files_can_be_mounted(host, image):
    del host.env["KNARR_SNAPSHOT_DRIVER"]
    chosen = host.info()["snapshotDriver"]
    host.env["KNARR_EROFS_BACKING"] = "file"
    assert chosen == ("erofs" if host.info()["features"]["erofs_layers"]["available"] else "dir")
    del host.env["KNARR_EROFS_BACKING"]
    host.good("pull", "-q", image)
    assert host.kinds() == {chosen: 3}


def test_the_kernel_never_sees_an_image_that_is_not_knarrs(breakable_knarr, host, scratch, image):
    broken = DriverHost(breakable_knarr, scratch).use("erofs")
    result = broken.run("pull", "-q", image, env=dict(broken.env, KNARR_FAULT="layer.image"))
    assert result.returncode != 0 and "no EROFS image of knarr's: at byte 1024" in result.stderr
    assert list((broken.data / "layers").iterdir()) == []


@pytest.fixture(scope="module")
def fsck():
    """An fsck.erofs that knows our blocks of 512 bytes."""
    peers = subprocess.run([ROOT / "tools/peers", "--erofs"], capture_output=True, text=True, check=False)
    if peers.returncode != 0:
        pytest.skip(f"needs erofs-utils 1.6 or newer: {peers.stderr.strip()}")
    return peers.stdout.split()[2]


def test_the_image_is_one_that_erofs_utils_accepts(host, image, fsck):
    host.use("erofs").good("pull", "-q", image)
    layers = list((host.data / "layers").glob("[!.]*"))
    assert layers
    for layer in layers:
        command = [fsck, f"--device={layer}/data", f"{layer}/image.erofs"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        with (layer / "image.erofs").open("r+b") as file:  # a superblock that it does not accept
            file.seek(1024 + 12)
            file.write(b"\xff")
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def merged(host):
    """The merged images in a host's store."""
    return list((host.data / "layers").glob("*/merged.erofs"))


def chain(host, image):
    """The directories of an image's layers, lowest first."""
    diffs = json.loads(host.good("image", "inspect", image))[0]["RootFS"]["Layers"]
    ids = [diffs[0]]
    for diff in diffs[1:]:
        ids.append("sha256:" + hashlib.sha256(f"{ids[-1]} {diff}".encode()).hexdigest())
    return [host.data / "layers" / one[7:] for one in ids]


@pytest.mark.parametrize("layers", [3, 60])
def test_a_merged_image_is_one_that_erofs_utils_accepts(host, scratch, fsck, layers):
    content = [images.base_layer(), odd_layer(), upper_layer()]
    content += [images.Layer().add(f"layer-{number}", b"x").bytes() for number in range(layers - 3)]
    host.use("erofs").good("run", "--rm", "-q", images.write_layout(scratch / "m", content), "true")
    (file,) = merged(host)
    stack = chain(host, "localhost/m")
    assert file.parent == stack[-1]
    command = [fsck, *[f"--device={layer}/data" for layer in stack], str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_store_without_merged_images_gets_them_and_both_ways_go_side_by_side(host, image):
    host.use("erofs").good("pull", "-q", image)
    assert merged(host) == []  # as an earlier knarr leaves it
    before = host.good("run", "--rm", "-q", image, "sh", "-c", LOOK)
    (file,) = merged(host)
    made = file.read_bytes()
    host.good("image", "diff", image_name(image))  # the layers below are another stack
    assert len(merged(host)) == 2
    for path in merged(host):
        path.unlink()
    assert host.good("run", "--rm", "-q", image, "sh", "-c", LOOK) == before
    assert file.read_bytes() == made
    assert host.mounts() == []
    host.good("rmi", image_name(image))
    assert list((host.data / "layers").iterdir()) == []


def test_verify_finds_a_damaged_merged_image_and_it_is_made_again(host, image):
    host.use("erofs").good("run", "--rm", "-q", image, "true")
    (file,) = merged(host)
    sound = file.read_bytes()
    assert host.run("image", "verify").returncode == 0
    usage = json.loads(host.good("image", "df", "--json"))
    file.write_bytes(sound[:-600] + b"damage" + sound[-594:])
    kept = host.run("image", "verify", "--keep")
    assert kept.returncode == 6 and "merged of its layers is another" in kept.stdout and file.exists()
    done = host.run("image", "verify")
    assert done.returncode == 6 and f"damaged sha256:{file.parent.name}" in done.stdout
    assert "needed by localhost/image" in done.stdout
    assert not file.exists() and host.run("image", "verify").returncode == 0
    without = json.loads(host.good("image", "df", "--json"))
    size = {at: next(line["Size"] for line in found["Usage"] if line["Type"] == "Layers")
            for at, found in (("with", usage), ("without", without))}
    assert size["with"] - size["without"] == len(sound)
    host.good("run", "--rm", "-q", image, "true")
    assert file.read_bytes() == sound


def test_a_damaged_layer_stops_no_container_and_verify_names_it(host, image):
    host.use("erofs").good("run", "--rm", "-q", image, "true")
    layer = chain(host, image_name(image))[1]
    with (layer / "image.erofs").open("r+b") as file:  # which the kernel does not look at
        file.seek(1536 + 48)
        file.write(b"x")
    done = host.run("image", "verify")
    assert done.returncode == 6 and f"layer sha256:{layer.name}: no EROFS image of knarr's" in done.stdout
    assert host.good("run", "--rm", "-q", image, "cat", "twice").startswith("second one")
    assert merged(host) == []


def image_name(image):
    return "localhost/" + image.rpartition("/")[2]


def test_a_store_that_is_full_keeps_its_layers_one_by_one(host, image):
    host.use("erofs").good("pull", "-q", image)
    (top,) = [layer for layer in chain(host, image_name(image))[-1:]]
    # No room for a file of its own: as a disk without inodes.
    subprocess.run(["chattr", "+i", top], check=True)
    try:
        pause = subprocess.Popen(host.command("run", "--rm", "-i", "-q", image, "sh", "-c", "echo up; read x"),
                                 env=host.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert pause.stdout.readline() == "up\n"
        assert len(host.mounts()) == 3
        pause.communicate("\n", timeout=60)
        assert pause.returncode == 0
    finally:
        subprocess.run(["chattr", "-i", top], check=True)
    assert merged(host) == [] and host.mounts() == []


@pytest.mark.parametrize("how", ["", "=kill"])
@pytest.mark.parametrize("point", ["layer.merge", "layer.merge.sync", "layer.merge.name"])
def test_a_merge_that_ends_half_way_leaves_nothing(breakable_knarr, host, scratch, image, point, how):
    broken = DriverHost(breakable_knarr, scratch).use("erofs")
    broken.good("pull", "-q", image)
    def files():
        return sorted(path for path in (broken.data / "layers").rglob("*") if path.name != "merged")
    before = files()
    done = broken.run("run", "--rm", "-q", image, "cat", "twice", env=dict(broken.env, KNARR_FAULT=point + how))
    if how:
        assert done.returncode == -9
    else:  # the layers are mounted one by one
        assert done.returncode == 0 and done.stdout.startswith("second one")
    assert files() == before
    assert broken.good("run", "--rm", "-q", image, "cat", "twice").startswith("second one")
    assert len(merged(broken)) == 1
    broken.good("rmi", image_name(image))
    assert list((broken.data / "layers").iterdir()) == []
    assert broken.mounts() == []


@pytest.mark.parametrize("driver", ["dir", "erofs"])
@pytest.mark.parametrize("layers", [1, 2])
def test_programs_of_a_mounted_image_can_be_executed(host, scratch, driver, layers):
    content = [images.base_layer(), images.Layer().add("extra", b"x").bytes()][:layers]
    host.use(driver).good("pull", "-q", images.write_layout(scratch / "tools", content))
    place = host.good("image", "mount", "localhost/tools").strip()
    try:
        done = subprocess.run(["chroot", place, "/bin/sh", "-c", "echo runs"], capture_output=True, text=True, check=False)
        assert done.stdout == "runs\n", done.stderr
    finally:
        host.good("image", "unmount", "localhost/tools")
    assert host.mounts() == []
