"""Fixtures of the integration tests: the programs under test and a scratch place for each test."""

import os
import pathlib
import shutil
import signal
import tempfile

import pytest

from oci import Host

# A shell starts what it puts into the background with SIGINT ignored, and programs inherit that: the
# tests that send it need it as a terminal's foreground has it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def bin_dir():
    """Where the programs are: KNARR_BIN_DIR, else the release build."""
    return pathlib.Path(os.environ.get("KNARR_BIN_DIR", ROOT / "build/release/bin"))


@pytest.fixture(scope="session")
def knarr_path(bin_dir):
    path = bin_dir / "knarr"
    if not path.exists():
        pytest.fail(f"{path} is not built: cmake --preset release && cmake --build --preset release")
    return path


@pytest.fixture(scope="session")
def witness_path():
    path = pathlib.Path(os.environ.get("KNARR_WITNESS", ROOT / "build/dev/bin/witness"))
    if not path.exists():
        pytest.fail(f"{path} is not built: cmake --build --preset dev --target witness")
    return path


@pytest.fixture(scope="session")
def breakable_knarr():
    """The program with fault points (core/fault.h): KNARR_FAULT_BIN, else the dev build."""
    path = pathlib.Path(os.environ.get("KNARR_FAULT_BIN", ROOT / "build/dev/bin/knarr"))
    if not path.exists():
        pytest.skip(f"{path} is not built: no program with fault points")
    if b"create.made" not in path.read_bytes():
        pytest.skip(f"{path} has no fault points: configure with -DKNARR_FAULTS=ON")
    return path


@pytest.fixture
def scratch():
    """A directory that only we may enter and that is gone after the test."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="knarr-it-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def needs_root():
    if os.geteuid() != 0:
        pytest.skip("needs root: makes namespaces and cgroups")


@pytest.fixture
def host(knarr_path, witness_path, scratch, needs_root):
    """Containers of this test alone; what they leave on the machine fails it."""
    host = Host(knarr_path, witness_path, scratch)
    yield host
    host.destroy()
    host.assert_clean()
