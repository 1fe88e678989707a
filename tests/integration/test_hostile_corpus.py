"""Hostile images, one per trick: pulled and run with each driver, and the host looked at after each.

The tricks are those of layer CVEs and of the rules that layers are unpacked by. Most images are refused;
of the others a container is started. Either way nothing outside the store may be another than before: no
file, mode, owner, time or attribute, no mount, no device. src/layer/hostile_test.cpp has the tars that are
malformed.
"""

import json
import os
import pathlib

import pytest

import images
import trees

pytestmark = pytest.mark.usefixtures("needs_root")

LINK, HARD, CHAR, FIFO = b"2", b"1", b"3", b"6"


def layer(*entries):
    """A layer of (name, data or None, {attributes of images.Layer.add}) entries."""
    made = images.Layer()
    for name, data, more in entries:
        made.add(name, data, **more)
    return made.bytes()


def link(name, target, **more):
    return (name, None, {"kind": LINK, "link": target, **more})


def hard(name, target):
    return (name, None, {"kind": HARD, "link": target})


def file(name, data=b"evil", **more):
    return (name, data, more)


def folder(name, **more):
    return (name, None, {"kind": b"5", "mode": 0o777, **more})


def corpus(victim):
    """{trick: [layer, ...]}; `victim` is a directory of the host with a file, secret."""
    up = "../" * 20
    outside = f"{up}{victim}"[:-1] if victim.endswith("/") else f"{up}{victim.lstrip('/')}"
    return {
        "dot dot in a name": [layer(file(f"{outside}/made"))],
        "an absolute name": [layer(file(f"{victim}/secret"))],
        "a file through a link of the same layer": [layer(link("x", victim), file("x/secret"))],
        "a file through a link of a layer below": [layer(link("x", victim)), layer(file("x/secret"))],
        "through a chain of links": [layer(link("a", "b"), link("b", "c"), link("c", outside)), layer(file("a/made"))],
        "a ring of links": [layer(link("a", "b"), link("b", "a")), layer(file("a/made"))],
        "a link that becomes a directory": [layer(link("x", victim)), layer(folder("x", uid=1), file("x/made"))],
        "a directory that becomes a link and is filled": [
            layer(folder("x")), layer(link("x", victim), file("x/made"))],
        "a file over a link": [layer(link("x", f"{victim}/secret")), layer(file("x", b"changed", mode=0o666))],
        "a hard link to the host": [layer(hard("x", f"{victim}/secret"), file("x", b"changed"))],
        "a hard link through a link below": [layer(link("l", victim)), layer(hard("x", "l/secret"))],
        "a hard link to a link": [layer(link("l", f"{victim}/secret"), hard("x", "l"), file("x", b"changed"))],
        "a whiteout through a link": [layer(link("l", victim)), layer(file("l/.wh.secret", b""))],
        "an opaque mark through a link": [layer(link("l", victim)), layer(file("l/.wh..wh..opq", b""))],
        "a whiteout of dot dot": [layer(file("d/.wh...", b""))],
        "a whiteout of a link keeps its target": [layer(link("l", victim)), layer(file(".wh.l", b""))],
        "a device, and a file over it": [
            layer(("d", None, {"kind": CHAR, "mode": 0o666})), layer(file("d"))],
        "a fifo in place of what is read at a start": [
            layer(("etc/passwd", None, {"kind": FIFO, "mode": 0o666}), ("etc/group", None, {"kind": FIFO}))],
        "passwd and group as links to the host": [
            layer(link("etc/passwd", "/etc/shadow"), link("etc/group", outside + "/secret"))],
        "resolv.conf, hosts and hostname as links to the host": [
            layer(*(link(f"etc/{name}", f"{victim}/secret") for name in ("resolv.conf", "hosts", "hostname")))],
        "etc as a link to the host": [layer(file("etc/.wh..wh..opq", b"")), layer(link("etc", victim))],
        "proc, sys and dev as links": [layer(*(link(name, outside) for name in ("proc", "sys", "dev")))],
        "tmp and the working directory as links": [layer(link("work", victim))],
        "attributes of overlayfs": [layer(
            folder("d", pax={"SCHILY.xattr.trusted.overlay.redirect": "/etc",
                             "SCHILY.xattr.trusted.overlay.opaque": "y"}),
            file("d/f", pax={"SCHILY.xattr.trusted.overlay.metacopy": "x", "SCHILY.xattr.user.overlay.opaque": "y"}))],
        "capabilities on a link": [layer(
            link("l", f"{victim}/secret", pax={"SCHILY.xattr.security.capability": "\1\0\0\2" + "\0" * 16}))],
        "the root itself": [layer(folder("./", uid=99), (".", None, {"kind": b"5", "mode": 0o777, "uid": 99}))],
        "names with control characters": [layer(file("\x1b[2J\r\n"), link("e", "\x1b]0;x\x07"))],
    }


def of_the_host(victim):
    """What must not change."""
    kept = {f"victim/{name}": entry for name, entry in trees.snapshot(victim).items()}
    for place in ("/etc", "/root", "/"):
        for entry in os.scandir(place):
            if not entry.name.startswith("knarr-") and entry.path not in ("/proc", "/sys", "/run", "/tmp", "/dev"):
                kept[entry.path] = trees.describe(entry.path, content=entry.stat(follow_symlinks=False).st_size < 1e6,
                                                  times=place == "/etc" and not entry.is_dir())
    for name in ("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"):
        if os.path.lexists(f"/dev/{name}"):
            kept[f"/dev/{name}"] = trees.describe(f"/dev/{name}", content=False, times=False)
    return kept


def mounts(scratch):
    """Mounts below what the tricks aim at; others of this machine may come and go."""
    aims = (str(scratch), "/etc", "/root", "/usr")
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4].startswith(aims)]


@pytest.fixture(params=["dir", "erofs"])
def host(request, knarr_path, scratch):
    host = images.Host(knarr_path, scratch)
    feature = json.loads(host.good("info", "--json"))["features"]["erofs_layers"]
    if request.param == "erofs" and not feature["available"]:
        pytest.skip(f"needs EROFS mounts: {feature['reason']}")
    host.knarr_words = ("--snapshot-driver", request.param)
    return host


def test_no_trick_reaches_the_host(host, scratch):
    victim = scratch / "victim"
    victim.mkdir(mode=0o700)
    (victim / "secret").write_text("of the host")
    os.setxattr(victim / "secret", "user.note", b"here")
    base = images.base_layer()
    before, mounted = of_the_host(victim), mounts(scratch)
    pulled = []
    for number, (trick, layers) in enumerate(corpus(str(victim)).items()):
        reference = images.write_layout(scratch / f"image{number}", [base, *layers], {"WorkingDir": "/work"})
        result = host.run(*host.knarr_words, "pull", "-q", reference)
        assert result.returncode in (0, 3), f"{trick}: {result.stderr}"
        assert "\x1b" not in result.stderr, trick
        if result.returncode == 0:
            pulled.append(trick)
            ran = host.run(*host.knarr_words, "run", "--rm", "-u", "root", reference, "/bin/busybox", "true")
            assert ran.returncode in (0, 125, 126, 127), f"{trick}: {ran.stderr}"
            host.good("rmi", reference.replace("oci:", "").replace(str(scratch), "localhost"))
        assert trees.differences(before, of_the_host(victim)) == [], trick
        assert mounts(scratch) == mounted, trick
        assert host.traces() == [], trick
        assert list((host.data / "layers").glob(".tmp-*")) == [], trick
    # So that the corpus does not become one that is refused for some other reason.
    assert "a file over a link" in pulled and "etc as a link to the host" in pulled
    assert "dot dot in a name" not in pulled and "a hard link to the host" not in pulled
