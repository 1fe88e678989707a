"""What runs inside the virtual machine, in order. Each step leaves one report (junit xml)."""

import dataclasses

PROJECT = "/project"
BIN = f"{PROJECT}/build/dev/bin"


@dataclasses.dataclass
class Step:
    name: str
    command: list
    seconds: int
    report: bool = True  # whether the command writes junit xml to REPORT


REPORT = "/run/knarr-report.xml"


def pytest(name, seconds, *what):
    return Step(name, ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs",
                       "--tb=short", "-o", "junit_family=xunit2", f"--junitxml={REPORT}", *what], seconds)


def unit(program, seconds, *what):
    return Step(program.removesuffix("_tests"), [f"{BIN}/{program}", "--gtest_brief=1",
                                                 f"--gtest_output=xml:{REPORT}", *what], seconds)


TESTS = f"{PROJECT}/tests/integration"

SMOKE = [
    unit("platform_tests", 60, "--gtest_filter=*group*"),
    pytest("root", 300, f"{TESTS}/test_cgroup_v2.py", f"{TESTS}/test_oci_lifecycle.py", "-k",
           "v2 or create_stops or state_is or force or exit_status"),
    pytest("rootless", 300, f"{TESTS}/test_rootless_cgroups.py",
           f"{TESTS}/test_rootless.py", "-k", "rootless_cgroups or user_runs or verbs or spec_rootless"),
    pytest("systemd", 300, f"{TESTS}/test_systemd_cgroup.py", "-k",
           "returns or scope or limits or update or harmless or sub_cgroup"),
]

FULL = [
    *[unit(program, 180) for program in ("platform_tests", "runtime_native_tests", "runtime_launch_tests",
                                         "engine_tests")],
    pytest("integration", 1200, TESTS, f"--ignore={TESTS}/registry"),
    Step("conformance", [f"{PROJECT}/tests/conformance/run", "--runtimes", "knarr,runc,crun",
                         "--logs", "/run/conformance"], 900, report=False),
]

PARTS = {"smoke": SMOKE, "full": FULL}
