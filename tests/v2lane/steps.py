"""What runs inside the virtual machine. Each step leaves one report (junit xml).

Steps run side by side, one on each CPU, the longest first; those that use the same thing do not.
"""

import dataclasses
import pathlib

PROJECT = "/project"
BIN = f"{PROJECT}/build/dev/bin"
TESTS = pathlib.Path(PROJECT, "tests/integration")


@dataclasses.dataclass
class Step:
    name: str
    command: list
    seconds: int
    report: str = ""  # the option that names the file for junit xml
    uses: tuple = ()  # what only one step at a time may use
    environment: dict = dataclasses.field(default_factory=dict)

    def words(self, report):
        return [*self.command, *([f"{self.report}{report}"] if self.report else [])]


def pytest(name, seconds, *what, **more):
    return Step(name, ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rs",
                       "--tb=short", "--durations=15", "-o", "junit_family=xunit2",
                       "-o", "faulthandler_timeout=180", *map(str, what)],
                seconds, report="--junitxml=", **more)


def integration(name, seconds, *modules, **more):
    """The tests of these files: "exec" is test_exec.py."""
    return pytest(name, seconds, *[TESTS / f"test_{module}.py" for module in modules], **more)


def unit(program, seconds, *what):
    return Step(program.removesuffix("_tests"), [f"{BIN}/{program}", "--gtest_brief=1", *what], seconds,
                report="--gtest_output=xml:")


SMOKE = [
    pytest("root", 300, TESTS / "test_cgroup_v2.py", TESTS / "test_oci_lifecycle.py", "-k",
           "v2 or create_stops or state_is or force or exit_status"),
    pytest("rootless", 300, TESTS / "test_rootless_cgroups.py", TESTS / "test_rootless.py", "-k",
           "rootless_cgroups or user_runs or verbs or spec_rootless", uses=["user"]),
    pytest("systemd", 300, TESTS / "test_systemd_cgroup.py", "-k",
           "returns or scope or limits or update or harmless or sub_cgroup", uses=["user"]),
    unit("platform_tests", 60, "--gtest_filter=*group*"),
]

# What cgroup v2 and systemd make a difference to. What they make none to is left to the bare machine and to
# "--part whole": emulated, it takes hours.
OF_CGROUPS = [
    "background", "cgroup_v2", "cgroups_disabled", "events", "killed_anywhere", "pause", "ps", "run_image_limits",
    "update"]
OF_EXEC = [
    "the_program_is_in_the_containers_namespaces_cgroup_and_root", "at_the_timeout_the_whole_process_group_is_dead",
    "a_paused_container_is_refused_or_waited_for", "a_sub_cgroup_is_joined", "a_user_namespace_is_entered"]
USER = ["rootless", "rootless_cgroups", "podman_rootless"]
# A container's life, its processes and its limits, with systemd making the cgroup.
BY_SYSTEMD = ["oci_hooks", "oci_lifecycle", "pause", "ps", "update"]
UNITS = ["platform_tests", "runtime_launch_tests", "engine_tests"]


def elsewhere():
    """What full() leaves out; a registry's tests (a folder of their own) are for the bare machine alone."""
    names = (path.stem.removeprefix("test_") for path in sorted(TESTS.glob("test_*.py")))
    chosen = {*OF_CGROUPS, *USER, *BY_SYSTEMD, "podman_systemd", "systemd_cgroup"}
    return [name for name in names if name not in chosen]


def full():
    short = {"KNARR_KILL_SECONDS": "2"}
    return [
        Step("conformance", [f"{PROJECT}/tests/conformance/run", "--runtimes", "knarr,runc",
                             "--logs", "/run/conformance"], 800),
        integration("podman-systemd", 700, "podman_systemd", uses=["user"]),
        pytest("root", 700, *[TESTS / f"test_{module}.py" for module in OF_CGROUPS],
               *[TESTS / f"test_exec.py::test_{name}" for name in OF_EXEC], environment=short),
        integration("by-systemd", 600, *BY_SYSTEMD, environment={"KNARR_TEST_CGROUP_MANAGER": "systemd"}),
        integration("rootless", 500, *USER, uses=["user"]),
        integration("systemd", 500, "systemd_cgroup", uses=["user"]),
        *[unit(program, 120) for program in UNITS],
    ]


def whole():
    """With what full() leaves out; two podmans of root with storage apart would share their locks."""
    podman = [name for name in elsewhere() if name.startswith("podman")]
    others = [name for name in elsewhere() if name not in podman]
    uses = {"podman-systemd": ["user", "podman"]}
    return [*[dataclasses.replace(step, uses=uses.get(step.name, step.uses)) for step in full()],
            integration("podman", 2000, *podman, uses=["podman"]),
            integration("lifecycle", 600, "oci_hooks", "oci_lifecycle"),
            integration("elsewhere", 2500, *others)]


PARTS = {"smoke": lambda: SMOKE, "full": full, "whole": whole}


def choose(part, names=(), words=()):
    """The steps of a part; those `names` alone, with further words for them; or pytest with `words`."""
    every = PARTS[part]()
    if unknown := set(names) - {step.name for step in every}:
        raise SystemExit(f"no such step: {', '.join(sorted(unknown))}")
    if words and not names:
        return [pytest("chosen", 1200, *words)]
    return [dataclasses.replace(step, command=[*step.command, *words]) for step in every
            if not names or step.name in names]
