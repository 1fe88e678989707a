"""export: a container's root file system as a tar."""

import io
import os
import socket
import stat
import subprocess
import tarfile

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def box(knarr_path, scratch):
    """A host with an image, whose stopped container `work` has changed some files."""
    host = images.Host(knarr_path, scratch)
    layer = images.Layer().add("gone", b"x").add("old", b"lower")
    host.good("pull", "-q", images.write_layout(scratch / "box", [images.base_layer(), layer.bytes()]))
    host.good("run", "--name", "work", "localhost/box", "sh", "-c",
              "rm /gone; echo upper > /old; echo new > /home/web/new; touch /etc/own")
    yield host
    host.run("delete", "--force", "work")


def test_every_kind_of_entry_is_in_the_tar(host):
    bundle = host.bundle("wait-signal")
    root = bundle.rootfs
    (root / "plain").write_bytes(b"text" * 300)
    os.chmod(root / "plain", 0o4751)
    os.chown(root / "plain", 3_000_000, 77)
    os.utime(root / "plain", ns=(1, 1_234_567_890_123_456_789))
    os.setxattr(root / "plain", "user.note", b"a\0b")
    os.link(root / "plain", root / "tmp/second")
    os.symlink("x" * 150, root / "link")
    os.mknod(root / "null", stat.S_IFCHR | 0o622, os.makedev(1, 3))
    os.mkfifo(root / "fifo", 0o640)
    long = root / ("d" * 120) / ("e" * 120)
    long.mkdir(parents=True, mode=0o710)
    (long / "leaf").write_text("deep")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
    (root / "sparse").touch()
    os.truncate(root / "sparse", 3_000_000)
    container = host.new_id()
    host.ok("create", "-b", bundle.directory, container)
    host.ok("export", "-o", host.directory / "out.tar", container)
    assert (host.directory / "out.tar").stat().st_mode & 0o777 == 0o600
    with tarfile.open(host.directory / "out.tar") as archive:
        entries = {one.name: one for one in archive.getmembers()}
        assert archive.extractfile("plain").read() == b"text" * 300
        assert archive.extractfile("sparse").read() == bytes(3_000_000)
        assert archive.extractfile(str((long / "leaf").relative_to(root))).read() == b"deep"
    on_disk = {str(path.relative_to(root)) for path in root.rglob("*")} - {"socket"}
    assert set(entries) == on_disk
    for name, entry in entries.items():
        found = os.lstat(root / name)
        assert (entry.mode, entry.uid, entry.gid) == (found.st_mode & 0o7777, found.st_uid, found.st_gid), name
        assert entry.isdir() == stat.S_ISDIR(found.st_mode) and entry.issym() == stat.S_ISLNK(found.st_mode), name
    assert entries["plain"].pax_headers["SCHILY.xattr.user.note"] == "a\0b"
    assert entries["plain"].pax_headers["mtime"] == "1234567890.123456789"
    assert entries["tmp/second"].islnk() and entries["tmp/second"].linkname == "plain"
    assert entries["link"].linkname == "x" * 150 and entries["fifo"].isfifo()
    assert entries["null"].ischr() and (entries["null"].devmajor, entries["null"].devminor) == (1, 3)
    host.ok("delete", "--force", container)


def test_gnu_tar_reads_it(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    host.ok("create", "-b", bundle.directory, container)
    out = host.directory / "out.tar"
    host.ok("export", "--output", out, container)
    done = subprocess.run(["tar", "-tf", out], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "" and "witness" in done.stdout.split()
    host.ok("delete", container)


def test_what_a_container_changed_is_exported_and_can_be_imported(box, scratch):
    with subprocess.Popen(box.command("container", "export", "work"), stdout=subprocess.PIPE) as export:
        data = export.stdout.read()
    assert export.returncode == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
        assert archive.extractfile("old").read() == b"upper\n"
    assert "gone" not in names and "etc/own" in names and not any(".wh." in name for name in names)
    (scratch / "work.tar").write_bytes(data)
    box.good("import", "-q", scratch / "work.tar", "again:1")
    shown = box.good("run", "--rm", "again:1", "cat", "/old", "/home/web/new", "/etc/os-release")
    assert shown == "upper\nnew\nID=knarr-test\n"
    assert [line for line in open("/proc/self/mountinfo") if str(scratch) in line] == []


def test_what_cannot_be_written_leaves_nothing(box, scratch):
    assert box.run("export", "-o", scratch / "x.tar", "nobody").returncode == 1
    assert box.run("export", "-o", scratch / "missing/x.tar", "work").returncode == 6
    assert box.run("export", "-o", "", "work").returncode == 2
    assert box.run("export").returncode == 2
    with open("/dev/full", "wb") as full:
        done = subprocess.run(box.command("export", "work"), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 6 and b"No space left" in done.stderr
    assert list(scratch.glob("x.tar*")) == []
