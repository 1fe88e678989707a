"""examples/embed: a program that links libknarr and never starts the knarr command; as a target of
this build, and as a project of its own."""

import os
import pathlib
import re
import shutil
import subprocess

import background
import images
import pytest
from conftest import ROOT
from oci import Host

BUILD = pathlib.Path(os.environ.get("KNARR_EMBED_BUILD", ROOT / "build/dev"))
PROJECT = ROOT / "examples/embed"
COMPILED = ROOT / "tests/embed/snippet.cpp"


def program(name):
    path = BUILD / "bin" / name
    if not path.exists():
        pytest.skip(f"{path} is not built: cmake --build --preset dev --target {name}")
    return path


def host_of(path, witness, scratch):
    host = Host(path, witness, scratch)
    yield host
    host.assert_clean()


@pytest.fixture
def host(witness_path, scratch, needs_root):
    yield from host_of(program("embed"), witness_path, scratch)


@pytest.fixture
def threads(witness_path, scratch, needs_root):
    yield from host_of(program("embed_threads"), witness_path, scratch)


def embed(host, bundle, *more, program=None, timeout=60):
    return subprocess.run([program or host.knarr_path, host.root, bundle.directory, *more],
                          capture_output=True, text=True, env=host.environment(), timeout=timeout)


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


@pytest.mark.parametrize("rounds", [("100", "1"), ("4", "10")])
def test_threads_use_one_engine_at_once(threads, rounds):
    """Children that are cloned while other threads allocate memory must not inherit their locks."""
    bundle = threads.bundle("sleep", "100000")
    ends = pathlib.Path(f"{bundle.directory}-run")
    shutil.copytree(bundle.directory, ends)
    config = (ends / "config.json").read_text()
    (ends / "config.json").write_text(config.replace('"sleep", "100000"', '"exit", "7"'))
    done = embed(threads, bundle, *rounds, timeout=100)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def operations(witness_path, scratch, needs_root):
    yield from host_of(program("embed_operations"), witness_path, scratch)


def test_one_thread_polls_a_hundred_lifecycles_and_cancels_what_takes_long(operations):
    done = embed(operations, operations.bundle("sleep", "100000"), "100", timeout=200)
    assert done.returncode == 0, done.stderr


def test_what_takes_long_is_ended_by_a_descriptor(scratch, needs_root):
    layout = images.write_layout(scratch / "image", [images.base_layer()],
                                 config={"Cmd": ["sh", "-c", "echo a line; sleep 1000"]})
    host = background.Host(program("embed_cancel"), scratch)
    done = subprocess.run([host.knarr, host.root, host.data, layout], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert host.traces() == []


def test_the_snippet_of_the_header_is_the_one_that_compiles():
    header = (ROOT / "include/knarr/engine.h").read_text()
    snippet = re.findall(r"^//     (.*)$", header.split("#include")[0], re.MULTILINE)
    assert snippet and "\n".join(snippet) in COMPILED.read_text()


def test_the_examples_of_the_document_are_those_that_compile():
    document = (ROOT / "docs/embedding.md").read_text()
    examples = re.findall(r"^```cpp\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        assert example in COMPILED.read_text()


# --- a project of its own ---

def build_project(source, build, *settings):
    for command in (["cmake", "-G", "Ninja", "-S", source, "-B", build, *settings],
                    ["cmake", "--build", build, "--target", "embed"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture
def project(scratch):
    shutil.copytree(PROJECT, scratch / "project")
    return scratch / "project"


def install(prefix, *options):
    if not (BUILD / "libknarr.a").exists():
        pytest.skip(f"{BUILD}/libknarr.a is not built")
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix, *options],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return prefix


def flags_of(build, file):
    commands = subprocess.run(["ninja", "-C", build, "-t", "commands", "embed"], capture_output=True,
                              text=True, check=True).stdout.splitlines()
    return next(line for line in commands if f"{file}.o -c" in line)


def test_an_installed_libknarr_is_found_by_its_package(host, project, scratch):
    prefix = install(scratch / "prefix")
    build_project(project, scratch / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
                  "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror")
    done = embed(host, host.bundle("exit", "6"), program=scratch / "build/embed")
    assert (done.returncode, done.stdout) == (6, "the container ended with 6\n"), done.stderr
    assert str(ROOT) not in flags_of(scratch / "build", "main.cpp")


def test_a_project_adds_the_sources_as_a_subdirectory(host, project):
    """Its objects come out of the compiler's cache: the folder lies where the dev build does."""
    if shutil.which("ccache") is None:
        pytest.skip("needs ccache: it would take minutes")
    build = BUILD.parent / "embedded"
    shutil.rmtree(build, ignore_errors=True)  # of a run that was killed
    cache = (BUILD / "CMakeCache.txt").read_text()
    flags = re.search(r"^CMAKE_CXX_FLAGS:[A-Z]+=(.*)$", cache, re.MULTILINE)[1]
    faults = re.search(r"^KNARR_FAULTS:[A-Z]+=(.*)$", cache, re.MULTILINE)[1]
    try:
        build_project(project, build, f"-DKNARR_SOURCE={ROOT}", f"-DCMAKE_CXX_FLAGS={flags}",
                      "-DCMAKE_BUILD_TYPE=None", f"-DKNARR_FAULTS={faults}")
        done = embed(host, host.bundle("exit", "8"), program=build / "embed")
        assert (done.returncode, done.stdout) == (8, "the container ended with 8\n"), done.stderr
        inherited = flags_of(build, "main.cpp")
        assert "-Werror" not in inherited and f"-I{ROOT}/src" not in inherited
    finally:
        shutil.rmtree(build, ignore_errors=True)


def test_an_installation_works_where_it_was_put(scratch, needs_root):
    """knarr finds its other programs, which are not beside it."""
    prefix = install(scratch / "prefix", "--component", "programs")
    assert not (prefix / "include").exists()
    for file in ("share/man/man1/knarr-run.1", "share/bash-completion/completions/knarr",
                 "share/zsh/site-functions/_knarr", "lib/systemd/system/knarr.service",
                 "lib/systemd/system/knarr-recover.service", "lib/systemd/system/knarr-recover.timer"):
        assert (prefix / file).stat().st_size > 0
    layout = images.write_layout(scratch / "image", [images.base_layer()])
    host = background.Host(prefix / "bin/knarr", scratch)
    try:
        container = host.launch(layout, "sh", "-c", "echo it works", options=["--init"])
        host.wait_ended(container)
        assert host.good("logs", container) == "it works\n"
        failed = host.run("pull", "--plain-http", "127.0.0.1:9/nobody/listens")
        assert "there is no knarr-pull" not in failed.stderr
        assert "127.0.0.1:9" in failed.stderr
    finally:
        host.end()
