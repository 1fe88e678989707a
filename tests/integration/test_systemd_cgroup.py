"""Containers whose cgroup systemd makes: --systemd-cgroup, as root and as a user with a session."""

import json
import pathlib
import signal
import subprocess

import pytest

import rootless
from oci import Host, wait_until
from rootless import UID, UserHost

SYSTEMD = pathlib.Path("/run/systemd/system")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
FAULTS = ["launch.cloned", "unit.asked", "unit.placed", "launch.cgroup", "launch.ready",
          "create.child", "launch.recorded", "create.done"]


class Systemd:
    """Mixed into a Host: its containers are units, of the system or of the user."""

    scope = ()  # further words for systemctl
    slice = "system.slice"

    def command(self, *args):
        return super().command("--systemd-cgroup", *args)

    def unit(self, container):
        return f"knarr-{container}.scope"

    def systemctl(self, *args):
        return subprocess.run(["systemctl", *self.scope, *map(str, args)], capture_output=True,
                              text=True, timeout=60)

    def show(self, unit, name):
        done = self.systemctl("show", "--property", name, "--value", unit)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def units(self):
        listed = self.systemctl("list-units", "--all", "--plain", "--no-legend", f"*{self.token}*")
        return [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]

    def directory_of(self, unit):
        assert pathlib.Path(CGROUPS, "cgroup.procs").exists(), "not a v2 host"
        return CGROUPS / self.show(unit, "ControlGroup").lstrip("/")

    def leftovers(self):
        left = super().leftovers()
        units = self.units()
        return {**left, "units": units} if units else left


class SystemHost(Systemd, Host):
    pass


class SessionHost(Systemd, UserHost):
    """The user's own manager, reached through its runtime directory."""

    scope = ("--user",)
    slice = "user.slice"

    def environment(self, fault=None):
        return {**super().environment(fault), "XDG_RUNTIME_DIR": f"/run/user/{UID}"}

    def systemctl(self, *args):
        return subprocess.run(self.as_user("systemctl", "--user", *args), capture_output=True,
                              text=True, timeout=60, env=self.environment())


def needs_systemd():
    if not SYSTEMD.exists():
        pytest.skip("systemd does not run here")
    if not pathlib.Path(CGROUPS, "cgroup.procs").exists():
        pytest.skip("cgroups are not v2 alone here")


@pytest.fixture(params=["root", "user"])
def host(request, knarr_path, witness_path, scratch, needs_root):
    needs_systemd()
    if request.param == "root":
        host = SystemHost(knarr_path, witness_path, scratch)
    else:
        rootless.needs_user_namespaces()
        if not pathlib.Path(f"/run/user/{UID}/systemd/private").exists():
            pytest.skip(f"user {UID} has no session: loginctl enable-linger")
        host = SessionHost(knarr_path, witness_path, scratch)
    yield host
    host.destroy()
    host.assert_clean()


@pytest.fixture
def breakable(breakable_knarr, witness_path, scratch, needs_root):
    """As root, with the program that has fault points."""
    needs_systemd()
    host = SystemHost(breakable_knarr, witness_path, scratch)
    yield host
    host.destroy()
    host.assert_clean()


def available(controller):
    return controller in pathlib.Path(CGROUPS, "cgroup.controllers").read_text().split()


def test_without_systemd_the_error_says_what_to_use(knarr_path, witness_path, scratch, needs_root):
    if SYSTEMD.exists():
        pytest.skip("systemd runs here")
    host = SystemHost(knarr_path, witness_path, scratch)
    host.units = lambda: []
    message = host.refused("run", "-b", host.bundle("exit", "0").directory, host.new_id())
    assert "systemd is not this host's init" in message
    assert "hint: use --cgroup-manager cgroupfs" in message
    host.assert_clean()


def test_a_run_returns_the_programs_status_and_leaves_no_unit(host):
    assert host.knarr("run", "-b", host.bundle("exit", "7").directory, host.new_id()).returncode == 7
    assert host.leftovers() == {}


def test_a_container_is_a_scope_with_its_process_until_it_is_deleted(host):
    container = host.new_id()
    host.ok("create", "-b", host.bundle("wait-signal").directory, container)
    unit, pid = host.unit(container), host.state(container)["pid"]
    assert host.show(unit, "ActiveState") == "active"
    assert host.show(unit, "Slice") == host.slice
    assert host.show(unit, "Delegate") == "yes"
    assert container in host.show(unit, "Description")
    procs = host.directory_of(unit) / "cgroup.procs"
    assert str(pid) in procs.read_text().split()
    host.ok("start", container)
    assert host.ok("exec", container, "/witness", "exit", "0").returncode == 0
    host.ok("kill", container, "KILL")
    wait_until(lambda: host.status(container) == "stopped", "it does not stop")
    host.ok("delete", container)
    assert host.units() == []
    assert not procs.parent.exists()


def test_limits_are_systemds_and_the_kernels(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["linux"]["resources"] = {"pids": {"limit": 77}}
    if available("memory"):
        bundle.config["linux"]["resources"]["memory"] = {"limit": 64 << 20, "swap": 96 << 20}
    if not available("pids"):
        pytest.skip("no pids controller on v2 here")
    bundle.save()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    unit = host.unit(container)
    directory = host.directory_of(unit)
    assert host.show(unit, "TasksMax") == "77"
    assert (directory / "pids.max").read_text().strip() == "77"
    if available("memory"):
        assert host.show(unit, "MemoryMax") == str(64 << 20)
        assert (directory / "memory.max").read_text().strip() == str(64 << 20)
        assert (directory / "memory.swap.max").read_text().strip() == str(32 << 20)
        host.systemctl("daemon-reload")  # systemd writes its own idea again
        assert (directory / "memory.max").read_text().strip() == str(64 << 20)


def test_an_update_is_told_to_systemd_too(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["linux"]["resources"] = {"pids": {"limit": 77}}
    if not available("pids"):
        pytest.skip("no pids controller on v2 here")
    bundle.save()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    unit = host.unit(container)
    pids = host.directory_of(unit) / "pids.max"
    host.ok("update", "--pids-limit", "99", container)
    assert (host.show(unit, "TasksMax"), pids.read_text().strip()) == ("99", "99")
    host.systemctl("daemon-reload")
    assert pids.read_text().strip() == "99"


def test_an_update_that_systemd_does_not_take_changes_nothing(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    if not available("pids"):
        pytest.skip("no pids controller on v2 here")
    bundle.config["linux"]["resources"] = {"pids": {"limit": 77}}
    bundle.save()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    directory = host.directory_of(host.unit(container))
    record = host.root / container / "state.json"
    state = json.loads(record.read_text())
    state["unit"]["name"] = f"knarr-{host.token}-none.scope"
    kept = record.read_text()
    record.write_text(json.dumps(state))
    try:
        host.refused("update", "--pids-limit", "99", container)
    finally:
        record.write_text(kept)
    assert (directory / "pids.max").read_text().strip() == "77"


def test_cpu_limits_and_files_without_a_property(host):
    if not available("cpu"):
        pytest.skip("no cpu controller on v2 here")
    if host.slice == "user.slice":
        pytest.skip("systemd 252 delegates memory and pids alone to users")
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["linux"]["resources"] = {
        "cpu": {"shares": 1024, "quota": 33333, "period": 100000},
        "unified": {"memory.high": str(32 << 20), "memory.oom.group": "1"}}
    bundle.save()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    unit = host.unit(container)
    directory = host.directory_of(unit)
    assert host.show(unit, "CPUWeight") == "100"
    assert host.show(unit, "CPUQuotaPerSecUSec") == "340ms"
    assert (directory / "cpu.max").read_text().strip() == "33333 100000"
    assert host.show(unit, "MemoryHigh") == str(32 << 20)
    assert (directory / "memory.oom.group").read_text().strip() == "1"


def test_cgroupspath_places_the_unit_in_its_slice(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["linux"]["cgroupsPath"] = f"kt-{host.token}.slice:cri:{container}"
    bundle.save()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    group = host.show(f"cri-{container}.scope", "ControlGroup")
    assert group.endswith(f"/kt.slice/kt-{host.token}.slice/cri-{container}.scope")
    host.ok("delete", "--force", container)
    host.systemctl("stop", f"kt-{host.token}.slice")


@pytest.mark.parametrize("path", ["/machine/web", "a.slice:b", "a--b.slice:c:d", "a.slice:b:"])
def test_other_paths_are_refused(host, path):
    bundle = host.bundle("exit", "0")
    bundle.config["linux"]["cgroupsPath"] = path
    bundle.save()
    assert "linux.cgroupsPath" in host.refused("run", "-b", bundle.directory, host.new_id())


def test_annotations_set_harmless_properties_and_no_others(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["annotations"] = {"org.systemd.property.TimeoutStopUSec": "uint64 5000000",
                                    "org.systemd.property.CollectMode": "'inactive'"}
    bundle.save()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    assert host.show(host.unit(container), "TimeoutStopUSec") == "5s"
    assert host.show(host.unit(container), "CollectMode") == "inactive"
    for name, value in (("ExecStopPost", "'/bin/sh'"), ("OnFailure", "['reboot.target']"),
                        ("TimeoutStopUSec", "5; Slice='x'")):
        bundle.config["annotations"] = {f"org.systemd.property.{name}": value}
        bundle.save()
        message = host.refused("run", "-b", bundle.directory, host.new_id())
        assert f"org.systemd.property.{name}" in message


def test_a_sub_cgroup_holds_the_process_where_it_is_asked_for(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["annotations"] = {"run.oci.systemd.subgroup": "payload"}
    bundle.save()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    directory = host.directory_of(host.unit(container))
    pid = str(host.state(container)["pid"])
    assert pid in (directory / "payload/cgroup.procs").read_text().split()
    assert (directory / "cgroup.procs").read_text() == ""


def test_a_unit_of_somebody_else_is_left_alone(host):
    container = host.new_id()
    unit = host.unit(container)
    other = subprocess.Popen(
        (host.as_user if host.scope else list)(
            *([["systemd-run", "--scope", f"--unit={unit}", "sleep", "60"]] if not host.scope else
              ["systemd-run", "--user", "--scope", f"--unit={unit}", "sleep", "60"])),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=host.environment())
    try:
        wait_until(lambda: host.show(unit, "ActiveState") == "active", "the other unit does not run")
        message = host.refused("run", "-b", host.bundle("exit", "0").directory, container)
        assert unit in message and "hint: systemctl" in message
        assert host.show(unit, "ActiveState") == "active"
    finally:
        other.kill()
        other.wait()
        host.systemctl("stop", unit)


@pytest.mark.parametrize("point", FAULTS)
def test_after_a_killed_create_nothing_stays_and_the_same_create_works(breakable, point):
    host, container = breakable, breakable.new_id()
    bundle = host.bundle("wait-signal")
    killed = host.knarr("create", "-b", bundle.directory, container, fault=point + "=kill")
    assert killed.returncode == -signal.SIGKILL
    host.ok("delete", "--force", container)
    host.assert_clean()
    host.ok("create", "-b", bundle.directory, container)
    host.ok("delete", "--force", container)


@pytest.mark.parametrize("point", FAULTS)
def test_a_create_that_fails_leaves_nothing(breakable, point):
    host = breakable
    message = host.refused("create", "-b", host.bundle("wait-signal").directory, host.new_id(),
                           fault=point)
    assert point in message
    host.assert_clean()


@pytest.mark.parametrize("point", ["delete.killed", "delete.unit", "delete.cgroup", "delete.data"])
def test_a_killed_delete_can_be_repeated(breakable, point):
    host, container = breakable, breakable.new_id()
    host.ok("run", "--detach", "-b", host.bundle("wait-signal").directory, container)
    host.knarr("delete", "--force", container, fault=point + "=kill")
    host.ok("delete", "--force", container)
    host.assert_clean()
