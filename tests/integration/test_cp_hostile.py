"""cp and diff of a container that wants to harm the host, or changes its files meanwhile."""

import fcntl
import io
import os
import stat
import subprocess
import tarfile

import pytest

import images
from background import box, host  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layer = images.Layer()
    layer.directory("x").directory("x/.ssh").add("x/.ssh/authorized_keys", b"theirs\n")
    layer.add("x/.bashrc", b"theirs\n").symlink("logs", "/x/.ssh").symlink("current.log", "/x/.bashrc")
    layer.symlink("all", "/").directory("srv", 0o777).add("srv/a", b"A\n")
    layer.add("srv/b", kind=tarfile.LNKTYPE, link="srv/a").directory("srv/sub")
    layer.add("srv/sub/c", kind=tarfile.LNKTYPE, link="srv/a")
    return images.write_layout(tmp_path_factory.mktemp("image") / "box",
                               [images.base_layer(), layer.bytes()])


def test_the_container_does_not_choose_the_name(host, box, scratch):
    home = scratch / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/authorized_keys").write_text("mine\n")
    (home / ".bashrc").write_text("mine\n")
    (scratch / "vol/kept").write_text("k\n")
    host.good("cp", "box:/logs/", home)
    host.good("cp", "-L", "box:/current.log", home)
    host.good("cp", "box:/vol", home)
    assert set(os.listdir(home)) == {".ssh", ".bashrc", "logs", "current.log", "vol"}
    assert (home / ".ssh/authorized_keys").read_text() == (home / ".bashrc").read_text() == "mine\n"
    assert (home / "logs/authorized_keys").read_text() == "theirs\n"
    assert (home / "vol/kept").read_text() == "k\n"
    host.good("cp", "box:/logs/.", home)  # here it does: all that is in it was asked for
    assert (home / "authorized_keys").exists()
    for words, names in [(["box:/logs/"], {"logs", "logs/authorized_keys"}),
                         (["-L", "box:/current.log"], {"current.log"}), (["box:/vol"], {"vol", "vol/kept"}),
                         (["box:/logs/."], {".", "./authorized_keys"})]:
        data = host.run("cp", *words, "-", text=False).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert set(tar.getnames()) == names


def test_a_link_to_the_root_is_one_directory(host, layout, scratch):
    host.good("create", "-q", "--name", "box", layout, "true")
    (scratch / "home").mkdir()
    host.good("cp", "box:/all/", scratch / "home")
    assert os.listdir(scratch / "home") == ["all"] and (scratch / "home/all/x/.bashrc").exists()


def test_root_on_the_host_gets_no_set_user_id_files_and_devices(host, box, scratch):
    tree = scratch / "vol/d"
    tree.mkdir()
    os.chmod(tree, 0o777)
    (tree / "su").write_text("x")
    os.chown(tree / "su", 7, 8)
    os.chmod(tree / "su", 0o6755)
    os.mkfifo(tree / "fifo")
    os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    there = scratch / "there"
    (there / "d").mkdir(0o700, parents=True)
    told = host.run("cp", "box:/vol/d", there)
    assert told.returncode == 0 and "devices" in told.stderr and "--archive" in told.stderr
    assert sorted(os.listdir(there / "d")) == ["fifo", "su"]
    info = os.stat(there / "d/su")
    assert stat.S_IMODE(info.st_mode) == 0o755 and info.st_uid == os.geteuid()
    assert stat.S_IMODE(os.stat(there / "d").st_mode) == 0o700  # it was there
    refused = host.run("cp", "box:/vol/d/null", there)
    assert refused.returncode != 0 and "--archive" in refused.stderr and not (there / "null").exists()
    host.good("cp", "-a", "box:/vol/d", scratch / "all")
    info = os.stat(scratch / "all/su")
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o6755, 7, 8)
    assert stat.S_ISCHR(os.stat(scratch / "all/null").st_mode)


def test_attributes_are_those_of_the_file_that_was_written(host, box, scratch):
    layer = images.Layer().add("f", b"x" * 1_000_000, mode=0o6755, uid=0)
    data, vol = layer.bytes(), scratch / "vol"
    (vol / "other").write_text("theirs\n")
    os.chmod(vol / "other", 0o600)
    os.chown(vol / "other", 7, 7)
    with subprocess.Popen(host.command("cp", "-", "box:/vol"), stdin=subprocess.PIPE) as copying:
        copying.stdin.write(data[:200_000])
        copying.stdin.flush()
        wait_until((vol / "f").exists, "nothing was unpacked", 60)
        os.rename(vol / "other", vol / "f")
        copying.stdin.write(data[200_000:])
        copying.stdin.close()
        assert copying.wait(60) == 0
    info = os.stat(vol / "f")
    assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o600, 7)


def test_names_of_one_file_stay_so(host, box, scratch):
    out = scratch / "out"
    host.good("cp", "box:/srv", out)
    assert {os.stat(out / name).st_ino for name in ("a", "b", "sub/c")} == {os.stat(out / "a").st_ino}
    host.good("cp", "box:/srv/.", out)  # onto what is there
    assert os.stat(out / "a").st_nlink == 3
    host.good("cp", out, "box:/vol/in")
    assert os.stat(scratch / "vol/in/sub/c").st_nlink == 3


@pytest.mark.parametrize("state", ["created", "running"])
def test_what_is_read_only_stays_as_it_is(host, layout, scratch, state):
    (scratch / "vol").mkdir()
    (scratch / "file").write_text("mine\n")
    host.good("create", "-q", "--name", "box", "--read-only", "-v", f"{scratch}/vol:/vol:ro",
              "--mount", f"type=bind,src={scratch}/file,dst=/file,readonly", layout, "sleep", "1000")
    if state == "running":
        host.good("start", "box")
    (scratch / "in").write_text("theirs\n")
    tar = images.Layer().add("in", b"theirs\n").bytes()
    for path, told in [("/vol/x", "/vol"), ("/vol", "/vol"), ("/vol/../file", "/file"), ("/etc/x", "root")]:
        refused = host.run("cp", scratch / "in", f"box:{path}")
        assert refused.returncode != 0 and "read-only" in refused.stderr.lower(), refused.stderr
        assert told in refused.stderr or state == "running"
    assert host.run("cp", "-", "box:/vol", input=tar, text=False).returncode != 0
    assert os.listdir(scratch / "vol") == [] and (scratch / "file").read_text() == "mine\n"
    host.good("cp", "box:/file", scratch / "back")
    host.good("rm", "-f", "box")


def test_nobody_starts_or_removes_what_is_written_to(host, layout, scratch):
    container = host.good("create", "-q", "--name", "box", layout, "true").strip()
    own = host.data / "containers" / container
    host.good("cp", "box:/srv", scratch / "out")
    assert os.listdir(own / "work") == []  # nothing was mounted to be written to
    tar = images.Layer().add("f", b"x" * 1_000_000).bytes()
    with subprocess.Popen(host.command("cp", "-", "box:/tmp"), stdin=subprocess.PIPE) as copying:
        copying.stdin.write(tar[:200_000])
        copying.stdin.flush()
        wait_until((own / "upper/tmp/f").exists, "nothing was unpacked", 60)
        with open(host.root / container / "lock", "rb") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        copying.stdin.write(tar[200_000:])
        copying.stdin.close()
        assert copying.wait(60) == 0
    with open(host.root / container / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_diff_prints_no_raw_names(host, layout):
    container = host.good("create", "-q", "--name", "box", layout, "true").strip()
    upper = host.data / "containers" / container / "upper"
    (upper / "a\nD ").mkdir()
    (upper / "\x1b[2J").touch()
    told = host.good("diff", "box")
    assert len(told.splitlines()) == 2 and "\x1b" not in told, told
