"""Files of containers that are cut, emptied, filled with rubbish or gone: their container may suffer, no other does."""

import os
import pathlib
import stat

import pytest

from background import host, layout  # fixtures
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

# Those that somebody needs later: `recover` names the container, and mends them where there is a copy.
NEEDED = {"run/state.json", "run/config.json", "run/seccomp", "data/image", "data/image.copy", "data/config.json",
          "data/record"}


def files_of(host, container):
    """Every file of the two directories of a container; of its own root the program is the master."""
    found = {}
    for kind, top in (("run", host.root / container), ("data", host.data / "containers" / container)):
        for directory, names, files in os.walk(top):
            if kind == "data" and directory == str(top):
                names[:] = [name for name in names if name not in ("upper", "work", "merged")]
            for name in files:
                path = pathlib.Path(directory, name)
                if stat.S_ISREG(path.lstat().st_mode):
                    found[f"{kind}/{path.relative_to(top)}"] = path
    return found


def spoil(path, damage):
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": whole[:len(whole) // 2], "rubbish": os.urandom(max(len(whole), 64))}[damage])


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "rubbish"])
def test_every_file_of_a_container(host, layout, damage):
    other = host.launch(layout, options=["--name", "other", "-v", "kept:/kept"])
    image = host.inspect(other)["Image"]
    names = sorted(files_of(host, other))
    assert NEEDED <= set(names), names
    for name in names:
        victim = host.launch(layout)
        pid = host.state(victim)["Pid"]
        wait_until(lambda: len(host.monitors()) == 4, "the monitors are not there", 60)
        if name not in files_of(host, victim):
            host.good("rm", "-f", victim)
            continue
        spoil(files_of(host, victim)[name], damage)
        host.good("tag", image, "spare")
        for words in (("ps",), ("exec", other, "true"), ("rmi", "spare"), ("image", "gc"), ("image", "prune", "-f"),
                      ("system", "prune", "-f"), ("system", "df"), ("volume", "prune", "-f"), ("cleanup", "--orphaned"),
                      ("run", "--rm", "-q", layout, "true"), ("restart", "-t", "0", other)):
            done = host.run(*words)
            assert done.returncode == 0, (name, words, done.stderr)
            assert alive(pid), (name, words)
        assert host.state(other)["Running"]
        told = host.run("recover")
        assert told.returncode in (0, 1), (name, told.stderr)
        assert name not in NEEDED or victim in told.stdout + told.stderr, (name, told.stdout, told.stderr)
        told = host.run("recover", "--force")
        assert told.returncode in (0, 1), (name, told.stderr)
        host.good("rm", "-f", victim)
        assert not alive(pid), name
        assert [one["id"] for one in host.containers()] == [other]
        assert not (host.data / "containers" / victim).exists()
        assert host.good("volume", "ls", "-q") == "kept\n"
    host.good("rm", "-f", other)


def test_one_that_lost_both_keeps_all_that_it_may_need(host, layout):
    box = host.launch(layout)
    image = host.inspect(box)["Image"]
    for name in ("image", "image.copy"):
        (host.data / "containers" / box / name).write_text("rubbish")
    host.good("volume", "create", "spare")
    assert "spare" not in host.good("volume", "prune", "-a", "-f")
    host.good("image", "gc")
    kept = host.run("rmi", image)
    assert kept.returncode != 0 and box[:12] in kept.stderr, kept.stderr
    told = host.run("recover")
    assert told.returncode == 1 and f"rm -f {box}" in told.stdout + told.stderr
    assert host.good("exec", box, "echo", "it runs") == "it runs\n"
    host.good("rm", "-f", box)
    assert "spare" in host.good("volume", "prune", "-a", "-f")
    assert host.run("recover").returncode == 0
