"""image diff, rootfs and export: the files of images beside each other, and as a directory of the host."""

import json
import os
import subprocess
import tarfile

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")

OPAQUE, WHITEOUT = "d/opaque/.wh..wh..opq", "d/.wh.gone"


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    lower = images.Layer()
    lower.directory("d").add("d/same", b"same").add("d/content", b"old").add("d/mode", b"x", mode=0o644)
    lower.add("d/gone", b"gone").directory("d/opaque").add("d/opaque/hidden", b"h").directory("kind").add("kind/x", b"x")
    lower.symlink("link", "/etc/hostname").directory("quiet").add("quiet/file", b"q")
    lower = lower.bytes()
    upper = images.Layer()
    upper.directory("d").add("d/content", b"new").add("d/mode", b"x", mode=0o4755, uid=7).add(WHITEOUT, b"")
    upper.directory("d/opaque").add(OPAQUE, b"").add("d/opaque/shown", b"s").add("kind", b"a file now")
    upper.symlink("link", "/etc/shadow").directory("new").add("new/file", b"n", pax={"SCHILY.xattr.user.a": "b"})
    upper.add("new/also", kind=tarfile.LNKTYPE, link="new/file").add("d/same", b"same")
    made = {}
    for name, layers in {"one": [lower], "two": [lower, upper.bytes()]}.items():
        made[name] = images.write_layout(tmp_path_factory.mktemp("image") / name, layers)
    return made


@pytest.fixture(params=["dir", "erofs"])
def host(request, knarr_path, scratch, layouts):
    host = images.Host(knarr_path, scratch)
    plain = host.command
    host.command = lambda *words: [*plain()[:1], "--snapshot-driver", request.param, *plain()[1:], *map(str, words)]
    for layout in layouts.values():
        pulled = host.run("pull", "-q", layout)
        if pulled.returncode and request.param == "erofs":
            pytest.skip("needs a kernel that mounts EROFS images")
        assert pulled.returncode == 0, pulled.stderr
    yield host
    assert host.traces() == []


EXPECTED = """C /d
C /d/content
D /d/gone
C /d/mode
C /d/opaque
D /d/opaque/hidden
A /d/opaque/shown
C /kind
C /link
A /new
A /new/also
A /new/file
"""


def test_what_differs_is_listed(host):
    assert host.good("image", "diff", "localhost/two", "localhost/one") == EXPECTED
    assert host.good("image", "diff", "localhost/two") == EXPECTED  # its upper layer alone
    told = json.loads(host.good("image", "diff", "--format", "json", "localhost/one", "localhost/two"))
    assert told["deleted"] == ["/d/opaque/shown", "/new"] and "/d/gone" in told["added"]
    assert host.good("image", "diff", "localhost/two", "localhost/two") == ""
    assert "A /quiet/file\n" in host.good("image", "diff", "localhost/one")  # its only layer
    assert host.run("image", "diff", "localhost/none").returncode != 0
    assert host.run("image", "diff").returncode == 2


def test_all_files_come_into_a_directory(host, scratch):
    place = scratch / "rootfs"
    assert host.good("image", "rootfs", "localhost/two", place) == f"{place}\n"
    info = os.stat(place / "d/mode")
    assert (info.st_mode & 0o7777, info.st_uid) == (0o4755, 7)
    assert (place / "d/content").read_text() == "new" and not (place / "d/gone").exists()
    assert os.listdir(place / "d/opaque") == ["shown"] and os.readlink(place / "link") == "/etc/shadow"
    assert os.stat(place / "new/file").st_ino == os.stat(place / "new/also").st_ino
    assert os.getxattr(place / "new/file", "user.a") == b"b"
    again = host.run("image", "rootfs", "localhost/two", place)
    assert again.returncode == 2 and "not empty" in again.stderr
    os.mkdir(scratch / "theirs")
    os.chown(scratch / "theirs", 1000, 0)
    theirs = host.run("image", "rootfs", "localhost/two", scratch / "theirs")
    assert theirs.returncode == 2 and "owner 1000" in theirs.stderr and os.listdir(scratch / "theirs") == []
    (scratch / "file").write_text("")
    assert host.run("image", "rootfs", "localhost/two", scratch / "file").returncode != 0
    assert host.run("image", "rootfs", "localhost/none", scratch / "other").returncode != 0
    assert not (scratch / "other").exists()


def names_in(archive):
    with tarfile.open(archive) as tar:
        return {one.name: one for one in tar.getmembers()}


def test_all_files_go_into_one_tar(host, scratch):
    out = scratch / "two.tar"
    assert host.good("image", "export", "-o", out, "localhost/two") == ""
    assert out.stat().st_mode & 0o777 == 0o600
    entries = names_in(out)
    assert "d/gone" not in entries and "d/opaque/hidden" not in entries
    assert not [name for name in entries if ".wh." in name]
    assert entries["d/mode"].mode == 0o4755 and entries["d/mode"].uid == 7 and entries["kind"].isfile()
    assert {entries["new/file"].type, entries["new/also"].type} == {tarfile.REGTYPE, tarfile.LNKTYPE}
    assert any("SCHILY.xattr.user.a" in one.pax_headers for one in (entries["new/file"], entries["new/also"]))
    with open(scratch / "stdout.tar", "wb") as file:
        assert host.run("image", "export", "localhost/two", capture_output=False, stdout=file).returncode == 0
    assert set(names_in(scratch / "stdout.tar")) == set(entries)
    host.good("import", "-q", out, "localhost/flat:1")
    assert host.good("image", "diff", "localhost/flat:1", "localhost/two") == ""
    assert host.run("image", "export", "-o", scratch / "none.tar", "localhost/none").returncode != 0
    assert host.run("image", "export", "-o", scratch / "missing/x.tar", "localhost/two").returncode == 6
    assert host.run("image", "export", "-o", "", "localhost/two").returncode == 2
    assert not [path.name for path in scratch.iterdir() if path.name.startswith(("none", "missing"))]


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


@pytest.mark.parametrize("containers", ["there", "never"])
def test_what_only_reads_does_so_from_a_read_only_store(host, scratch, containers):
    is_dir = "dir" in host.command("x")[:3]
    assert not host.data.joinpath("containers").exists()
    if containers == "there":
        host.good("image", "df")
    words = [["images"], ["image", "inspect", "localhost/two"], ["history", "localhost/two"], ["image", "df"],
             ["image", "df", "-v"], ["image", "verify"], ["save", "-o", scratch / "saved.tar", "localhost/two"]]
    if is_dir:  # the other driver's layers are mounted in the store
        words += [["image", "diff", "localhost/two"], ["image", "rootfs", "localhost/two", scratch / "out"],
                  ["image", "export", "-o", scratch / "out.tar", "localhost/two"]]
    for one in words:
        expected = host.run(*one) if one[0] in ("images", "history") or one[1] in ("inspect",) else None
        done = read_only(host, *one)
        assert done.returncode == 0, (one, done.stderr)
        assert expected is None or done.stdout == expected.stdout
    for one in (["image", "gc"], ["tag", "localhost/two", "x:1"], ["rmi", "localhost/two"]):
        done = read_only(host, *one)
        assert done.returncode != 0 and "Read-only file system" in done.stderr, (one, done.stderr)


def read_only(host, *words):
    return subprocess.run(["unshare", "--mount", "sh", "-c", READ_ONLY, host.data, *host.command(*words)],
                          capture_output=True, text=True, timeout=60, check=False)
