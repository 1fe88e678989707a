"""The lanes of tools/test: each builds what it needs, runs its tests and reports one count."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build/test-logs"
FOUND = ROOT / "build/fuzz-found"  # stays from run to run: the next one starts from it
JOBS = str(os.cpu_count() or 2)

# The compiler cache serves every checkout of the project, not just the one that filled it.
os.environ.setdefault("CCACHE_BASEDIR", str(ROOT))
os.environ.setdefault("CCACHE_NOHASHDIR", "1")

# A lane that takes longer hangs: the whole of tools/test is meant to end within an hour.
LANE_TIMEOUT_SECONDS = 30 * 60
TEST_TIMEOUT_SECONDS = 120
SHOWN_LINES = 40  # of a failure's output
EXIT_SKIP = 77  # of the programs of tests/: cannot run here, the last line says why


class Tally:
    """What passed, failed (name, output) and was skipped (name, reason)."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def line(self):
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def run(name, command, env=None, timeout=LANE_TIMEOUT_SECONDS):
    """Runs `command` into its log; returns (status, log path), status None after the timeout."""
    log = LOGS / f"{name}.log"
    with log.open("wb") as out:
        try:
            status = subprocess.run(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})}, timeout=timeout).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nended after {timeout} s\n".encode())
            status = None
    return status, log


def tail(log):
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(lines[-SHOWN_LINES:])


def step(tally, name, command, env=None):
    """One command that passes or fails as a whole. Returns whether it passed."""
    start = time.monotonic()
    status, log = run(name, command, env)
    print(f"  {name}: {'ok' if status == 0 else 'FAILED'} ({time.monotonic() - start:.0f} s)", flush=True)
    if status == 0:
        tally.passed += 1
    else:
        tally.failed.append((name, tail(log)))
    return status == 0


built = {}


def build(tally, preset):
    """Configures and builds a preset once. A build counts only when it fails."""
    if preset not in built:
        mine, start = Tally(), time.monotonic()
        ok = True
        for name, command in ((f"configure-{preset}", ["cmake", "--preset", preset]),
                              (f"build-{preset}", ["cmake", "--build", "--preset", preset, "-j", JOBS])):
            status, log = run(name, command)
            if status != 0:
                ok = False
                mine.failed.append((name, tail(log)))
                break
        print(f"  build {preset}: {'ok' if ok else 'FAILED'} ({time.monotonic() - start:.0f} s)", flush=True)
        built[preset] = ok
        tally.add(mine)
    return built[preset]


def skip_reason(output):
    """What GTEST_SKIP said: the line after "FILE:LINE: Skipped"."""
    lines = output.splitlines()
    for at, line in enumerate(lines[:-1]):
        if line.rstrip().endswith("Skipped"):
            return lines[at + 1].strip()
    return "no reason given"


def read_junit(tally, path, prefix):
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{prefix}{case.get('name')}"
        output = case.findtext("system-out") or ""
        skipped, failure = case.find("skipped"), case.find("failure")
        if failure is None:
            failure = case.find("error")
        if failure is not None or case.get("status") == "fail":
            text = output or (failure.text if failure is not None else "") or ""
            tally.failed.append((name, "\n".join(text.splitlines()[-SHOWN_LINES:])))
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            reason = skip_reason(output) if output else (skipped.get("message") if skipped is not None else "")
            tally.skipped.append((name, reason or "no reason given"))
        else:
            tally.passed += 1


def ctest(tally, preset, env=None):
    if not build(tally, preset):
        return
    report, before = LOGS / f"ctest-{preset}.xml", len(tally.failed)
    report.unlink(missing_ok=True)
    status, log = run(f"ctest-{preset}",
                      ["ctest", "--test-dir", f"build/{preset}", "-j", JOBS, "--output-on-failure",
                       "--timeout", str(TEST_TIMEOUT_SECONDS), "--no-tests=error",
                       "--test-output-size-passed", "65536", "--test-output-size-failed", "65536",
                       "--output-junit", report], env)
    if report.exists():
        read_junit(tally, report, f"{preset}: ")
    if status != 0 and len(tally.failed) == before:
        tally.failed.append((f"ctest-{preset}", tail(log)))


def lane_checks(tally):
    for check in (["tools/check-layers"], ["tools/check-style"], ["tools/format", "--check"]):
        step(tally, check[0].split("/")[1], check)
    if build(tally, "dev"):  # lint reads its compile_commands.json
        step(tally, "lint", ["tools/lint"])


def lane_unit(tally):
    ctest(tally, "dev")


def leak_detection():
    """"1" or "0": LeakSanitizer stops threads with ptrace, which a sandbox may refuse."""
    binary = ROOT / "build/asan/bin/core_tests"
    done = subprocess.run([binary, "--gtest_list_tests"], capture_output=True, text=True,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"})
    if done.returncode == 0:
        return "1"
    print("  leak detection is off: LeakSanitizer cannot work here (ptrace)", flush=True)
    return "0"


def lane_asan(tally):
    if build(tally, "asan"):
        ctest(tally, "asan", {
            "ASAN_OPTIONS": f"detect_leaks={leak_detection()}:abort_on_error=0:strict_string_checks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})


def with_shared_mounts(command):
    """Where all mounts are shared, as systemd makes them and most users have them; not on the machine itself."""
    if os.geteuid() != 0:
        return command
    return ["unshare", "-m", "sh", "-c", 'mount --make-rshared / && exec "$@"', "sh", *command]


def lane_integration(tally):
    if not (build(tally, "dev") and build(tally, "release")):
        return
    folders = [folder for folder in ("tests/integration", "tests/tools") if (ROOT / folder).is_dir()]
    report, before = LOGS / "pytest.xml", len(tally.failed)
    report.unlink(missing_ok=True)
    tests = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs",
             "-o", "junit_family=xunit2", f"--junitxml={report}", *folders]
    status, log = run("pytest", with_shared_mounts(tests),
                      {"KNARR_BIN_DIR": str(ROOT / "build/release/bin"),
                       "KNARR_WITNESS": str(ROOT / "build/dev/bin/witness")})
    if report.exists():
        read_junit(tally, report, "integration: ")
    if status != 0 and len(tally.failed) == before:
        tally.failed.append(("pytest", tail(log)))


def conformance(tally, name, command):
    """One public suite: it passes or fails as its table of what is expected says."""
    status, log = run(name, command)
    lines = log.read_text(errors="replace").splitlines()
    if status == EXIT_SKIP:
        tally.skipped.append((name, lines[-1] if lines else "no reason given"))
    elif status == 0:
        print(f"  {lines[-1]}", flush=True)
        tally.passed += 1
    else:
        tally.failed.append((f"{name}: not as tests/conformance/expected says", tail(log)))


def conformance_deps():
    if os.geteuid() == 0:
        has_go = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
        step(Tally(), "conformance-deps", ["tools/deps", *([] if has_go else ["go"]), "conformance"])


def lane_conformance(tally):
    if build(tally, "release"):
        conformance_deps()
        conformance(tally, "runtime-tools", ["tests/conformance/run", "--runtimes", "knarr"])
        conformance(tally, "bats-bookworm", ["tests/conformance/bats", "--runtimes", "knarr"])


def lane_suites(tally):
    if build(tally, "release"):
        conformance_deps()
        peers = "knarr,runc,crun,newest-runc,newest-crun"
        conformance(tally, "runtime-tools", ["tests/conformance/run", "--runtimes", f"{peers},false"])
        conformance(tally, "bats-bookworm", ["tests/conformance/bats", "--runtimes", "knarr,runc,newest-runc"])


def lane_v2(tally, part="full"):
    """Runs the tests in a virtual machine with cgroup v2 and systemd: see tests/v2lane/run."""
    if not (build(tally, "dev") and build(tally, "release")):
        return
    if os.geteuid() == 0 and not shutil.which("qemu-system-x86_64"):
        step(Tally(), "v2-deps", ["tools/deps", "vm"])
    reports, before = LOGS / "v2", len(tally.failed)
    status, log = run("v2", ["tests/v2lane/run", "--part", part, "--logs", reports])
    lines = log.read_text(errors="replace").splitlines()
    if status == EXIT_SKIP:
        tally.skipped.append(("v2", lines[-1] if lines else "no reason given"))
        return
    print("\n".join(f"  {line.strip()}" for line in lines), flush=True)
    for path in sorted(reports.glob("*.json")):
        told, mine = json.loads(path.read_text()), Tally()
        report, name = path.with_suffix(".xml"), f"v2: {told['name']}"
        if report.exists():
            read_junit(mine, report, f"{name}: ")
        elif told["status"] == EXIT_SKIP:
            said = path.with_suffix(".log").read_text().splitlines()
            tally.skipped.append((name, said[-1] if said else "no reason given"))
            continue
        elif told["status"] == 0:
            mine.passed += 1
        if told["status"] != 0 and not mine.failed:
            mine.failed.append((name, tail(path.with_suffix(".log"))))
        tally.add(mine)
    if status != 0 and len(tally.failed) == before:
        tally.failed.append(("v2: the virtual machine", tail(log)))


def lane_v2_smoke(tally):
    lane_v2(tally, "smoke")


def lane_differential(tally):
    """The same configurations to knarr and its peers; a skip says what is missing."""
    if not (build(tally, "dev") and build(tally, "release")):
        return
    status, log = run("differential", ["tests/differential/run"])
    lines = log.read_text(errors="replace").splitlines()
    if status == 77:
        tally.skipped.append(("differential", lines[-1] if lines else "no reason given"))
    elif status == 0:
        print("  " + lines[-1])
        tally.passed += 1
    else:
        tally.failed.append(("differential: no difference without a reason", tail(log)))


def fuzz_one(name, seconds):
    """Looks for inputs that break one target; returns (what happened or None, its last lines)."""
    work = FOUND / name
    (work / "new").mkdir(parents=True, exist_ok=True)
    corpus = (ROOT / f"build/asan/fuzz/{name}.corpus").read_text().split()
    status, log = run(f"fuzz-{name}",
                      [ROOT / f"build/asan/bin/fuzz_{name}", f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                       "-print_final_stats=1", f"-artifact_prefix={work}/", work / "new", *corpus],
                      timeout=seconds + 120)
    runs = [line.split()[-1] for line in log.read_text(errors="replace").splitlines()
            if line.startswith("stat::number_of_executed_units")]
    print(f"  fuzz {name}: {'ok' if status == 0 else 'FAILED'} ({runs[0] if runs else '?'} inputs)",
          flush=True)
    inputs = sorted(entry.name for entry in work.iterdir() if entry.name != "new")
    what = None if status == 0 else f"fuzz {name}: the input is in {work}/{' '.join(inputs[-1:])}"
    return what, tail(log)


def lane_fuzz(tally):
    if not build(tally, "asan"):
        return
    seconds = int(os.environ.get("KNARR_FUZZ_SECONDS", "30"))
    # Not the programs: those of targets that are gone stay in the build.
    names = sorted(path.stem for path in (ROOT / "build/asan/fuzz").glob("*.corpus"))
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        for what, output in pool.map(lambda name: fuzz_one(name, seconds), names):
            if what is None:
                tally.passed += 1
            else:
                tally.failed.append((what, output))


def lane_bench(tally):
    if build(tally, "dev") and build(tally, "release"):
        status, log = run("bench", ["tools/bench", "--quick", "--check"])
        print(log.read_text(errors="replace"))
        if status == 0:
            tally.passed += 1
        else:
            tally.failed.append(("bench: the bounds of tests/bench", tail(log)))


LANES = {
    "checks": lane_checks,
    "unit": lane_unit,
    "asan": lane_asan,
    "integration": lane_integration,
    "conformance": lane_conformance,
    "v2-smoke": lane_v2_smoke,
    "differential": lane_differential,
    "fuzz": lane_fuzz,
    "v2": lane_v2,
    "bench": lane_bench,
    "suites": lane_suites,
}
# The first holds all that v2-smoke does, the second's bounds hold on a quiet machine.
ONLY_WHEN_ASKED = ("v2", "bench", "suites")


def main():
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__)
    parser.add_argument("--only", "--lane", action="append", choices=LANES, metavar="LANE",
                        help=f"one of {', '.join(LANES)}; may be repeated")
    options = parser.parse_args()
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)

    total = Tally()
    for name in options.only or [lane for lane in LANES if lane not in ONLY_WHEN_ASKED]:
        tally, start = Tally(), time.monotonic()
        print(f"{name} ...", flush=True)
        LANES[name](tally)
        print(f"{name}: {tally.line()} ({time.monotonic() - start:.0f} s)", flush=True)
        total.add(tally)

    if total.skipped:
        print("\nskipped, and what this machine lacks for it:")
        for name, reason in total.skipped:
            print(f"  {name}: {reason}")
    if total.failed:
        print("\nfailed:")
        for name, output in total.failed:
            print(f"--- {name}\n{output}")
        print("\nfailed in short (whole logs: build/test-logs):")
        for name, _ in total.failed:
            print(f"  {name}")
    print(total.line())
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
