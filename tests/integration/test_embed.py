"""examples/embed: a program that links libknarr and never starts the knarr command."""

import os
import pathlib
import subprocess

import pytest
from conftest import ROOT
from oci import Host


@pytest.fixture
def host(witness_path, scratch, needs_root):
    embed = pathlib.Path(os.environ.get("KNARR_EMBED", ROOT / "build/dev/bin/embed"))
    if not embed.exists():
        pytest.skip(f"{embed} is not built: cmake --build --preset dev --target embed")
    host = Host(embed, witness_path, scratch)
    yield host
    host.assert_clean()


def embed(host, bundle):
    return subprocess.run([host.knarr_path, host.root, bundle.directory], capture_output=True,
                          text=True, env=host.environment(), timeout=60)


def test_a_bundle_runs_and_its_exit_code_comes_back(host):
    done = embed(host, host.bundle("exit", "5"))
    assert done.returncode == 5, done.stderr
    assert done.stdout == "the container ended with 5\n"


def test_a_failing_start_leaves_nothing(host):
    bundle = host.bundle()
    bundle.config["process"]["args"] = ["/no/such/program"]
    bundle.save()
    done = embed(host, bundle)
    assert done.returncode == 127
    assert "/no/such/program" in done.stderr
