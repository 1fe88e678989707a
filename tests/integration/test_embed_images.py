"""Images by a program that links libknarr, for an ordinary user, whose images have files of many."""

import shutil
import subprocess

import pytest

import images
import rootless
from test_embed import BUILD
from test_rootless_images import many_owners


@pytest.fixture
def host(knarr_path, witness_path, scratch):
    yield from rootless.image_host(knarr_path, witness_path, scratch)


@pytest.fixture
def program(host):
    path = BUILD / "bin/embedded_images"
    if not path.exists():
        pytest.skip(f"{path} is not built: cmake --build --preset dev --target embedded_images")
    return shutil.copy2(path, host.bin / "embedded_images")


def embedded(host, program, *words):
    return subprocess.run(host.as_user(program, host.root, host.data, *words), capture_output=True,
                          text=True, timeout=60, env=host.environment())


def test_an_ordinary_user_pulls_checks_and_removes(host, program):
    done = embedded(host, program, host.layout("many", many_owners(), {"Cmd": ["sh"]}))

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("pulled sha256:") and \
        lines[0].endswith(" as localhost/many:latest, told")
    assert lines[1:] == ["0 damaged, 1 images, localhost/many:latest",
                         "0 pruned, localhost/many:latest removed, 0 left"]
    assert host.out("images", "-q") == ""


def test_what_the_caller_does_not_want_any_more_ends(host, program):
    done = embedded(host, program, host.layout("many", many_owners()), "cancelled")

    assert done.returncode == 130 and "stopped on request" in done.stderr, done
    assert host.out("images", "-q") == ""


def test_an_error_comes_back_as_it_was(host, program):
    done = embedded(host, program, host.layout("bad", [images.base_layer(), b"no tar"]))

    assert done.returncode == 3 and "layer" in done.stderr and "sha256:" in done.stderr, done
