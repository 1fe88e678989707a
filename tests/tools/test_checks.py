"""The checks of tools/ find what they are for: each is shown a small tree with one offence."""

import pathlib
import shutil
import subprocess

import pytest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


@pytest.fixture
def house(tmp_path):
    """A repository with the tools and nothing to complain about."""
    (tmp_path / "tools").mkdir()
    for name in ("check-layers", "check-style"):
        shutil.copy(TOOLS / name, tmp_path / "tools")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    write(tmp_path, "include/knarr/error.h", '#pragma once\n#include <string>\n')
    write(tmp_path, "src/core/text.h", '#pragma once\n#include "knarr/error.h"\n')
    for main in ("core/core.h", "platform/platform.h", "store/store.h"):
        write(tmp_path, f"src/{main}", "#pragma once\n// A room.\n//\n//   text.h a.h  its files\n\n#include <string>\n")
    return tmp_path


def write(house, name, text):
    path = house / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def check(house, name):
    done = subprocess.run([house / "tools" / name], capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["check-layers", "check-style"])
def test_a_clean_house_passes(house, name):
    status, output = check(house, name)
    assert status == 0, output


@pytest.mark.parametrize("path, include", [
    ("src/core/a.cpp", '"platform/fd.h"'),            # up
    ("src/spec/a.cpp", '"platform/fd.h"'),            # sideways
    ("src/store/a.cpp", '"engine/engine.h"'),
    ("src/cli/a.cpp", '"pull/main.h"'),               # a door includes a door
    ("src/runtime/wasm/a.cpp", '"runtime/native/plan.h"'),  # a kind includes a kind
    ("src/runtime/launch/a.cpp", '"runtime/native/plan.h"'),
    ("src/engine/a.cpp", '"util/strings.h"'),         # no such room
    ("src/newroom/a.cpp", '"core/text.h"'),
    ("src/engine/a.cpp", "<rapidjson/document.h>"),   # a library outside its room
    ("src/cli/a.cpp", "<curl/curl.h>"),
    ("src/core/a.cpp", "<gtest/gtest.h>"),            # only tests
    ("src/store/a.h", "<sys/stat.h>"),                # a kernel header in a header
    ("include/knarr/a.h", '"core/text.h"'),           # the public face shows the house
    ("include/knarr/a.h", "<unistd.h>"),
])
def test_check_layers_refuses(house, path, include):
    write(house, path, f"#pragma once\n#include {include}\n")
    status, output = check(house, "check-layers")
    assert status == 1
    assert f"{path}:" in output


@pytest.mark.parametrize("path, include", [
    ("src/runtime/native/a.cpp", '"runtime/launch/plan.h"'),
    ("src/runtime/select.cpp", '"runtime/native/plan.h"'),
    ("src/engine/a.cpp", '"runtime/runtime.h"'),
    ("src/platform/a.h", "<sys/stat.h>"),
    ("src/platform/a_test.cpp", "<seccomp.h>"),       # the oracle
    ("src/spec/a.cpp", "<rapidjson/document.h>"),
    ("src/store/a.h", "<sys/types.h>"),
    ("include/knarr/a.h", "<fmt/format.h>"),
])
def test_check_layers_allows(house, path, include):
    write(house, path, f"#pragma once\n#include {include}\n")
    status, output = check(house, "check-layers")
    assert status == 0, output


@pytest.mark.parametrize("path", [
    "src/core/b.h",
    "src/core/ext.h",           # the end of a name that is there
    "src/platform/part/a.h",    # another a.h
    "src/monitor/a.h",          # no main header at all
    "src/spec/a.h",
])
def test_check_layers_refuses_a_header_that_the_main_header_does_not_name(house, path):
    write(house, path, "#pragma once\n")
    status, output = check(house, "check-layers")
    assert status == 1
    assert f"{path}:1:" in output


@pytest.mark.parametrize("path", ["src/core/a.h", "src/core/testing_b.h", "src/core/testdata/b.h",
                                  "src/spec/data_for_tests.h", "src/core/b.cpp"])
def test_check_layers_allows_what_is_named_or_for_tests(house, path):
    write(house, path, "#pragma once\n")
    status, output = check(house, "check-layers")
    assert status == 0, output


def test_a_name_below_the_opening_does_not_count(house):
    write(house, "src/core/b.h", "#pragma once\n")
    main = house / "src/core/core.h"
    main.write_text(main.read_text() + "// b.h\n")
    assert check(house, "check-layers")[0] == 1


@pytest.mark.parametrize("line", [
    "void f() { throw 1; }",
    "int pid = fork();",
    "int pid = vfork();",
    'int status = ::system("ls");',
    "fs::remove_all(path);",
    "using namespace std;",
    "#include <iostream>",
    "#include <regex>",
    "auto* entry = getpwnam(name);",
    "int x = 1;  // TO" "DO: later",
    "int x = 1; ",
])
def test_check_style_refuses(house, line):
    write(house, "src/core/a.cpp", line + "\n")
    status, output = check(house, "check-style")
    assert status == 1
    assert "src/core/a.cpp:1:" in output


@pytest.mark.parametrize("line", [
    'fail(Errc::io, "cannot throw the rope");',
    "// We never throw, fork() or call system(): using namespace is refused too.",
    "const Clock& clock = system_clock();",
    "cgroup.system(1);",
    'auto text = R"(using namespace std; throw 1;)";',
    "int x = 1;  // TODO(#12): later",
    "constexpr int kMany = 1'000'000;  // throw",
])
def test_check_style_allows(house, line):
    write(house, "src/core/a.cpp", line + "\n")
    status, output = check(house, "check-style")
    assert status == 0, output


def test_check_style_refuses_a_header_without_pragma_once(house):
    write(house, "src/core/a.h", "int x();\n")
    assert check(house, "check-style")[0] == 1


def test_check_style_counts_lines(house):
    write(house, "src/core/a.cpp", "int x;\n" * 501)
    status, output = check(house, "check-style")
    assert status == 0 and "warning: 501 lines" in output
    write(house, "src/core/a.cpp", "int x;\n" * 801)
    assert check(house, "check-style")[0] == 1
    write(house, "src/core/a.cpp", "// check-style: table\n" + "int x;\n" * 801)
    assert check(house, "check-style")[0] == 0


def test_check_style_wants_a_newline_at_the_end(house):
    write(house, "src/core/a.cpp", "int x;")
    assert check(house, "check-style")[0] == 1
