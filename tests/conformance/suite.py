"""What the runners of the public suites share: Go, the runtimes, and the tables of what is expected."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "knarr"
LOGS = ROOT / "build/test-logs"
TOOLCHAIN = "go1.24.5"  # fetched where the machine's own go is older than the suite asks for
EXIT_SKIP = 77


def skip(reason):
    print(f"conformance was skipped: {reason}")
    sys.exit(EXIT_SKIP)


def source_of(package, release):
    """The folder of a Debian source package."""
    got = subprocess.run([HERE / "sources", package, release], capture_output=True, text=True)
    if got.returncode != 0:
        skip(got.stderr.strip().splitlines()[-1] if got.stderr.strip() else f"no source of {package}")
    return pathlib.Path(got.stdout.strip())


def find_go():
    return shutil.which("go") or next(
        (path for path in ("/usr/local/go/bin/go", "/usr/lib/go/bin/go") if os.access(path, os.X_OK)), None)


def go_environment(work, minor):
    """(go, its environment): a go of at least 1.`minor`.

    Debian 12's own is 1.19. It can fetch a newer one, which is a Go module too and is checked
    against the checksum database like any other; it stays in `work`.
    """
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -modcacherw"}
    go = find_go()
    if not go:
        skip("Go is missing (tools/deps conformance installs Debian's)")
    asked = subprocess.run([go, "env", "GOVERSION", "GOARCH"], capture_output=True, text=True, cwd="/")
    version = re.match(r"go1\.(\d+)\S*\s+(\w+)", asked.stdout)
    if not version:
        skip(f"{go} is not usable: {asked.stderr.strip()}")
    if int(version[1]) >= minor:
        return go, env
    print(f"Go 1.{version[1]} is too old for the suite: fetching {TOOLCHAIN} for the build", flush=True)
    env |= {"GOPATH": str(work / "gopath"), "GOCACHE": str(work / "gocache")}
    module = f"golang.org/toolchain@v0.0.1-{TOOLCHAIN}.linux-{version[2]}"
    newer = download(go, env, module)
    for program in [*(newer / "bin").iterdir(), *(newer / "pkg/tool").rglob("*")]:
        program.chmod(0o755)  # modules carry no modes
    env.pop("GOROOT", None)
    return newer / "bin/go", {**env, "GOTOOLCHAIN": "local"}


def download(go, env, module):
    """The folder of a downloaded Go module."""
    got = subprocess.run([go, "mod", "download", "-json", module], capture_output=True, text=True,
                         env=env, cwd="/")
    if got.returncode != 0:
        skip(f"{module} cannot be downloaded: {(got.stdout + got.stderr).strip()[-300:]}")
    return pathlib.Path(json.loads(got.stdout)["Dir"])


def find_runtime(name):
    """knarr as built, a peer of tools/peers ("newest-crun"), or a program of the machine."""
    if name == "knarr":
        return ROOT / "build/release/bin/knarr"
    if name.startswith("newest-"):
        got = subprocess.run([ROOT / "tools/peers"], capture_output=True, text=True)
        lines = (line.split() for line in got.stdout.splitlines())
        return next((pathlib.Path(line[2]) for line in lines if line[0] == name.removeprefix("newest-")), None)
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/bin")
    return pathlib.Path(path) if path else None


def find_runtimes(names, entries):
    """{name: path} of the runtimes that are here: `names`, and "NAME=PATH" `entries`."""
    runtimes = {}
    for name in filter(None, names.split(",")):
        path = find_runtime(name)
        if path and path.exists():
            runtimes[name] = path
        else:
            print(f"{name} is not here: its column is left out")
    for entry in entries:
        name, _, path = entry.partition("=")
        runtimes[name] = pathlib.Path(path).resolve()
    if os.geteuid() != 0:
        skip("the suite needs root")
    if not runtimes:
        skip("none of the runtimes is here")
    for name, path in runtimes.items():
        print(f"{name}: {path} {version_of(path)}", flush=True)
    return runtimes


def version_of(path):
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout.split("\n")[0] if done.returncode == 0 else ""


def is_cgroup_v2():
    return pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()


def inside(command, timeout):
    """(status, output) of a command of this folder in namespaces of its own; 124 after the timeout."""
    try:
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", HERE / "inside", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as ended:
        return 124, (ended.stdout or b"").decode(errors="replace")


def read_expected(name):
    """{test: reason} of the tests that knarr is not expected to pass.

    A line is "TEST: REASON". A reason holds no ": ", so the last one ends the test's name. Empty lines and those that begin with # say something to people.
    """
    table = {}
    for line in (HERE / "expected" / name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            test, _, reason = line.rpartition(": ")
            table[test.strip()] = reason
    return table


def compare(expected, results, whole):
    """Prints how knarr's results ({test: verdict}, "clean" is good) differ from the table.

    Returns how many tests failed that should not. A test that was skipped never counts: the suite
    itself says that the machine lacks something. Of the `whole` suite a test that the table names
    and that did not run counts as one that failed: it has another name now, or is not there any more.
    """
    bad = [test for test, verdict in results.items()
           if verdict not in ("clean", "skipped") and test not in expected]
    better = [test for test, verdict in results.items() if verdict == "clean" and test in expected]
    gone = [test for test in expected if test not in results] if whole else []
    for test in gone:
        print(f"did not run, correct the table: {test}")
    for test in bad:
        print(f"not as expected: {test}: {results[test]}")
    for test in better:
        print(f"better than expected, strike it from the table: {test}")
    return len(bad) + len(gone)
