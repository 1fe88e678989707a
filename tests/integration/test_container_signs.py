"""/.dockerenv and /etc/mtab: what programs know a container by, and no part of it."""

import io
import os
import tarfile

import pytest

import images
from background import host, layout  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")

LOOK = ("[ -f /.dockerenv ] && [ ! -s /.dockerenv ] && stat -c '%u %a' /.dockerenv; busybox readlink /etc/mtab; "
        "grep -c ' / overlay ' /etc/mtab")


def names_in(host, container):
    data = host.run("export", container, text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {one.name: archive.extractfile(one).read() if one.isfile() else one.linkname for one in archive.getmembers()}


@pytest.mark.parametrize("options", [[], ["--read-only"], ["--privileged"], ["-u", "7"]])
def test_programs_find_them(host, layout, options):
    assert host.good("run", "--rm", "-q", *options, layout, "sh", "-c", LOOK) == "0 755\n/proc/mounts\n1\n"


@pytest.mark.parametrize("driver", ["erofs", "dir"])
def test_they_are_no_change_and_in_no_copy(host, layout, driver):
    container = host.good("--snapshot-driver", driver, "run", "-d", "-q", layout, "sh", "-c",
                          "touch /new; sleep 1000").strip()
    host.good("exec", container, "ls", "/.dockerenv", "/etc/mtab")
    for _ in range(2):  # while it runs, and after
        assert host.good("diff", container) == "A /new\n"
        names = names_in(host, container)
        assert ".dockerenv" not in names and "etc/mtab" not in names and {"new", "etc/hosts", "dev"} <= set(names)
        host.good("stop", "-t", "0", container)
    host.good("start", container)
    host.good("exec", container, "ls", "/.dockerenv", "/etc/mtab")


def test_a_read_only_root_has_them_read_only(host, layout):
    done = host.run("run", "--rm", "-q", "--read-only", layout, "sh", "-c", "echo x > /.dockerenv")
    assert done.returncode == 1 and "Read-only file system" in done.stderr


def test_those_of_the_image_stay(host, tmp_path):
    own = images.Layer().add(".dockerenv", b"mine\n").add("etc/mtab", b"own\n")
    image = images.write_layout(tmp_path / "own", [images.base_layer(), own.bytes()])
    container = host.launch(image, "sh", "-c", "cat /.dockerenv /etc/mtab; echo more >> /etc/mtab")
    host.wait_ended(container)
    assert host.good("logs", container) == "mine\nown\n" and host.good("diff", container) == "C /etc\nC /etc/mtab\n"
    names = names_in(host, container)
    assert (names[".dockerenv"], names["etc/mtab"]) == (b"mine\n", b"own\nmore\n")


def test_one_that_was_taken_away_stays_so(host, layout):
    container = host.launch(layout, "sh", "-c", "busybox rm -f /.dockerenv /etc/mtab; sleep 1000")
    host.good("stop", "-t", "0", container)
    assert host.good("diff", container) in ("", "C /etc\n") and ".dockerenv" not in names_in(host, container)
    host.good("start", container)
    assert host.run("exec", container, "ls", "/.dockerenv").returncode != 0


def test_containers_cannot_change_each_others(host, layout):
    host.good("run", "--rm", "-q", layout, "sh", "-c", "echo x > /.dockerenv; busybox ln -sf /x /etc/mtab")
    assert host.good("run", "--rm", "-q", layout, "sh", "-c", LOOK) == "0 755\n/proc/mounts\n1\n"
    ground = host.data / "ground"
    assert os.stat(ground / ".dockerenv").st_size == 0 and os.readlink(ground / "etc/mtab") == "/proc/mounts"
