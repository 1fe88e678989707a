"""The OCI verbs on bundles, each with what it must leave and what it must refuse.
Source: runtime-spec runtime.md; the spelling is runc's."""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
from oci import CGROUP_MANAGER, alive, wait_until


@pytest.fixture
def created(host):
    """A created container whose program waits for a signal."""
    container = host.new_id()
    host.ok("create", "--bundle", host.bundle("wait-signal").directory, container)
    return container


@pytest.fixture
def running(host, created):
    host.ok("start", created)
    return created


def test_create_stops_before_the_program_and_start_releases_it(host):
    bundle, container = host.bundle("write", "/tmp/ran"), host.new_id()
    host.ok("create", "-b", bundle.directory, container)
    assert host.status(container) == "created"
    assert not (bundle.rootfs / "tmp/ran").exists()
    host.ok("start", container)
    wait_until((bundle.rootfs / "tmp/ran").exists, "the program did not run")
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    host.ok("delete", container)


def test_state_is_what_runtime_spec_asks_for(host, created):
    state = host.state(created)
    assert state["id"] == created
    assert state["ociVersion"]
    assert state["status"] == "created"
    assert alive(state["pid"])
    assert state["bundle"] == str(host.directory / "bundle2")
    assert state["rootfs"] == str(host.directory / "bundle2/rootfs")
    host.ok("start", created)
    assert host.status(created) == "running"
    host.ok("kill", created, "KILL")
    wait_until(lambda: host.status(created) == "stopped", "it did not stop")
    assert host.state(created)["pid"] == 0


def test_state_shows_the_annotations_of_the_config_as_it_was_created(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["annotations"] = {"org.example": "first"}
    bundle.save()
    host.ok("create", "-b", bundle.directory, container)
    bundle.config["annotations"] = {"org.example": "second"}
    bundle.save()
    assert host.state(container)["annotations"] == {"org.example": "first"}


def test_a_second_create_with_the_id_fails_and_leaves_the_first_alone(host, created):
    before = host.state(created)
    message = host.refused("create", "-b", host.bundle("wait-signal").directory, created)
    assert "exists" in message
    assert host.state(created) == before
    message = host.refused("run", "-b", host.bundle("wait-signal").directory, created)
    assert "exists" in message
    assert host.state(created) == before


def test_start_is_only_for_created_containers(host, running):
    message = host.refused("start", running)
    assert "running" in message and "created" in message
    assert host.status(running) == "running"
    host.ok("kill", running, "KILL")
    wait_until(lambda: host.status(running) == "stopped", "it did not stop")
    assert "stopped" in host.refused("start", running)


def test_verbs_on_a_container_that_is_not_there_say_so(host):
    for verb in ("start", "state", "kill", "delete"):
        assert "nothing-here" in host.refused(verb, "nothing-here")


@pytest.mark.parametrize("spelling, number", [
    (("TERM",), 15), (("SIGUSR1",), 10), (("34",), 34), (("RTMIN+3",), 37), ((), 15)])
def test_kill_sends_the_signal_by_any_name(host, spelling, number):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    done = host.ok("create", "-b", bundle.directory, container)
    host.ok("start", container)
    wait_until(lambda: "ready=1" in done.out_path.read_text(), "the program is not ready")
    host.ok("kill", container, *spelling)
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    assert f"signal={number}" in done.out_path.read_text()


def test_kill_refuses_nonsense_and_stopped_containers(host, running):
    assert "FOO" in host.refused("kill", running, "FOO")
    assert host.status(running) == "running"
    host.ok("kill", running, "9")
    wait_until(lambda: host.status(running) == "stopped", "it did not stop")
    assert "stopped" in host.refused("kill", running, "TERM")


def test_kill_all_reaches_processes_that_outlive_the_first(host):
    bundle, container = host.bundle(), host.new_id()
    bundle.use_shell("/busybox sleep 1000 & /busybox sleep 1000 & exec /busybox sleep 1000")
    bundle.share("pid")
    host.ok("create", "-b", bundle.directory, container)
    host.ok("start", container)
    pid = host.state(container)["pid"]
    wait_until(lambda: len(host.processes()) == 3, "there are no children")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    assert host.processes()
    host.ok("kill", "--all", container, "KILL")
    wait_until(lambda: not host.processes(), "children are left")
    host.ok("delete", container)


def test_delete_refuses_a_running_container_and_force_kills_it(host, running):
    pid = host.state(running)["pid"]
    assert "running" in host.refused("delete", running)
    assert host.status(running) == "running"
    host.ok("delete", "--force", running)
    assert not alive(pid)
    host.assert_clean()


def test_delete_of_a_created_container_kills_it(host, created):
    pid = host.state(created)["pid"]
    host.ok("delete", created)
    assert not alive(pid)
    host.assert_clean()


def test_forced_delete_of_nothing_succeeds(host):
    host.ok("delete", "--force", "nothing-here")


def test_delete_force_of_a_frozen_container(host, running):
    frozen = [path for path in host.cgroups() if "/freezer" in path or
              os.path.exists(os.path.join(path, "cgroup.freeze"))]
    if not frozen:
        pytest.skip("no freezer cgroup on this machine")
    v1 = os.path.join(frozen[0], "freezer.state")
    if os.path.exists(v1):
        pathlib.Path(v1).write_text("FROZEN")
    else:
        pathlib.Path(frozen[0], "cgroup.freeze").write_text("1")
    wait_until(lambda: host.status(running) == "paused", "it is not paused")
    assert "paused" in host.refused("delete", running)
    host.ok("delete", "--force", running)
    host.assert_clean()


def test_list_shows_all_containers(host, created):
    stopped, bundle = host.new_id(), host.bundle("exit", "0")
    host.ok("create", "-b", bundle.directory, stopped)
    host.ok("start", stopped)
    wait_until(lambda: host.status(stopped) == "stopped", "it did not stop")
    rows = {row["id"]: row for row in json.loads(host.ok("list", "--format", "json").stdout)}
    assert rows[created]["status"] == "created"
    assert rows[stopped]["status"] == "stopped"
    assert sorted(host.ok("list", "-q").stdout.split()) == sorted([created, stopped])
    table = host.ok("list").stdout.splitlines()
    assert table[0].split()[:4] == ["ID", "PID", "STATUS", "BUNDLE"]
    assert len(table) == 3


def ticks_since_boot():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def test_a_reused_pid_is_no_process_of_the_container(host, created):
    """The record's pid belongs to somebody else: nobody is signalled, the state is stopped."""
    record_path = host.root / created / "state.json"
    real = json.loads(record_path.read_text())
    # A pid that comes again has another start time; its unit is a tick of 10 ms.
    wait_until(lambda: ticks_since_boot() > real["pidStartTicks"], "time stands still")
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        try:
            record_path.write_text(json.dumps({**real, "pid": stranger.pid}))
            assert host.status(created) == "stopped"
            host.refused("kill", created, "KILL")
            record_path.write_text(json.dumps(real))
            assert host.status(created) == "created"
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_damaged_record_is_named_and_can_be_forced_away(host, created):
    record_path = host.root / created / "state.json"
    good = record_path.read_text()
    record_path.write_text(good[: len(good) // 2])
    assert str(host.root / created) in host.refused("state", created)
    assert created in host.ok("list").stdout
    host.refused("delete", created)
    record_path.write_text(good)  # so that nothing is left: damage hides the cgroup
    host.ok("delete", "--force", created)
    damaged = host.root / host.new_id()
    damaged.mkdir()
    (damaged / "state.json").write_text("{")
    assert host.ok("delete", "--force", damaged.name).stderr
    assert host.entries() == []


def test_files_are_for_their_owner_alone(host, created):
    assert host.root.stat().st_mode & 0o7777 == 0o700
    for path in (host.root / created).iterdir():
        assert path.stat().st_mode & 0o77 == 0, path
    assert (host.root / created).stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_root_that_others_may_write_is_refused(host, mode):
    host.root.mkdir()
    host.root.chmod(mode)
    assert "chmod" in host.refused("list")
    host.root.chmod(0o700)


def test_the_pid_file_is_relative_to_the_caller(host):
    container = host.new_id()
    host.ok("create", "-b", host.bundle("wait-signal").directory, "--pid-file", "pid", container,
            cwd=host.directory)
    assert int((host.directory / "pid").read_text()) == host.state(container)["pid"]


def test_the_bundle_is_the_current_directory_by_default(host):
    done = host.ok("run", host.new_id(), cwd=host.bundle("out", "hello").directory)
    assert "hello" in done.stdout


# run


@pytest.mark.parametrize("words, code", [
    (("exit", "0"), 0), (("exit", "7"), 7), (("exit", "255"), 255)])
def test_run_exits_with_the_programs_code(host, words, code):
    done = host.knarr("run", "-b", host.bundle(*words).directory, host.new_id())
    assert done.returncode == code, done.stderr
    host.assert_clean()


@pytest.mark.parametrize("number", [9, 11, 15])
def test_run_exits_with_128_and_the_signal(host, number):
    bundle = host.bundle("raise", str(number))
    bundle.share("pid")  # a pid 1 cannot kill itself
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 128 + number, done.stderr
    host.assert_clean()


def test_run_passes_stdin_and_stdout_through(host):
    source = host.directory / "input"
    source.write_bytes(bytes(range(1, 256)) * 1000)
    with source.open("rb") as stdin:
        done = subprocess.run(host.command("run", "-b", host.bundle("stdin").directory, host.new_id()),
                              stdin=stdin, capture_output=True, env=host.environment(), timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == source.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, 40])
def test_run_forwards_signals(host, number):
    run = host.start_process("run", "-b", host.bundle("wait-signal").directory, host.new_id(),
                             stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "ready=1\n"
    run.send_signal(number)
    assert run.stdout.readline() == f"signal={int(number)}\n"
    run.stdout.close()
    assert run.wait(20) == 0
    host.assert_clean()


def test_run_without_a_pid_namespace_ends_everything(host):
    bundle = host.bundle()
    bundle.use_shell("/busybox sleep 1000 & /busybox sleep 1000 & exec /busybox sleep 1000")
    bundle.config.pop("hostname")
    bundle.share("pid", "network", "ipc", "uts")
    run = host.start_process("run", "-b", bundle.directory, host.new_id())
    wait_until(lambda: len(host.processes()) >= 4, "there are no children")
    container = host.entries()[0]
    wait_until(lambda: host.status(container) == "running", "it does not run")
    os.kill(host.state(container)["pid"], signal.SIGKILL)
    assert run.wait(20) == 137
    host.assert_clean()


def test_run_detached_returns_when_the_program_runs(host):
    container = host.new_id()
    host.ok("run", "--detach", "--pid-file", host.directory / "pid", "-b",
            host.bundle("wait-signal").directory, container)
    assert host.status(container) == "running"
    assert int((host.directory / "pid").read_text()) == host.state(container)["pid"]
    host.ok("delete", "-f", container)


def test_run_survives_a_delete_by_somebody_else(host):
    container = host.new_id()
    run = host.start_process("run", "-b", host.bundle("wait-signal").directory, container,
                             stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "ready=1\n"
    host.ok("delete", "--force", container)
    run.stdout.close()
    assert run.wait(20) == 137
    host.assert_clean()


def test_the_program_gets_no_descriptor_of_ours(host):
    done = host.ok("run", "-b", host.bundle("fds").directory, host.new_id())
    fds = [line.split("=")[0] for line in done.stdout.splitlines() if line.startswith("fd.")]
    assert set(fds) == {"fd.0", "fd.1", "fd.2"}, done.stdout


@contextlib.contextmanager
def descriptor_3(path):
    """`path` open as descriptor 3. What stood there before (pytest's own, perhaps) comes back."""
    with open(path, "rb") as file:
        try:
            before = os.dup(3)
        except OSError:
            before = None
        os.dup2(file.fileno(), 3)
        try:
            yield
        finally:
            if before is None:
                os.close(3)
            else:
                os.dup2(before, 3, inheritable=False)
                os.close(before)


def test_preserved_descriptors_reach_the_program_and_missing_ones_are_refused(host):
    bundle = host.bundle("fds")
    with descriptor_3("/dev/null"):
        done = host.ok("run", "--preserve-fds", "1", "-b", bundle.directory, host.new_id(),
                       pass_fds=(3,))
        assert "fd.3=" in done.stdout
        message = host.refused("run", "--preserve-fds", "2", "-b", bundle.directory,
                               host.new_id(), pass_fds=(3,))
        assert "descriptor 4" in message


def test_kill_all_of_a_stopped_container_finds_nobody_and_succeeds(host):
    bundle, container = host.bundle("exit", "0"), host.new_id()
    host.ok("create", "-b", bundle.directory, container)
    host.ok("start", container)
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    assert "is stopped" in host.refused("kill", container, "TERM")
    host.ok("kill", "--all", container, "TERM")
    host.ok("delete", container)


def test_a_container_without_a_process_is_created_but_not_started(host):
    bundle, container = host.bundle(), host.new_id()
    del bundle.config["process"]
    bundle.save()
    host.ok("create", "-b", bundle.directory, container)
    assert host.status(container) == "created"
    assert "process: missing" in host.refused("start", container)
    host.ok("delete", container)
    assert "process: missing" in host.refused("run", "-b", bundle.directory, host.new_id())
    host.assert_clean()


def mounts_below(bundle):
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if f" {bundle.rootfs}/" in line]


def without_mount_namespace(host, *args):
    bundle = host.bundle(*args)
    bundle.share("mount", "network", "ipc", "uts")
    del bundle.config["hostname"]
    source = host.directory / "source"
    (source / "inner").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "inner"], check=True)
    bundle.config["mounts"].append({"destination": "/tmp", "source": str(source), "type": "bind",
                                    "options": ["rbind"]})
    bundle.save()
    return bundle, source / "inner"


def test_without_a_mount_namespace_its_mounts_go_when_it_is_deleted(host):
    bundle, inner = without_mount_namespace(host, "sleep", "1000")
    try:
        container = host.new_id()
        warned = host.ok("run", "-d", "-b", bundle.directory, container).stderr
        assert "has no mount namespace" in warned
        assert {f"{bundle.rootfs}/proc", f"{bundle.rootfs}/dev", f"{bundle.rootfs}/tmp",
                f"{bundle.rootfs}/tmp/inner"} <= set(mounts_below(bundle))
        # They could not be told from another's.
        assert "is mounted below" in host.refused("create", "-b", bundle.directory, host.new_id())
        host.ok("delete", "--force", container)
        assert mounts_below(bundle) == []
        assert os.path.ismount(inner), "the source's own mounts stay"
        bundle.config["mounts"].append({"destination": "/x", "type": "nonesuch", "source": "x"})
        bundle.save()
        host.refused("create", "-b", bundle.directory, host.new_id())
        assert mounts_below(bundle) == []
    finally:
        subprocess.run(["umount", inner], check=True)


def test_a_working_directory_that_only_the_runtime_may_enter_will_do(host):
    bundle = host.bundle("exit", "0")
    (bundle.rootfs / "closed").mkdir(mode=0o700)
    bundle.config["process"].update(cwd="/closed", user={"uid": 42, "gid": 42})
    bundle.save()
    assert host.knarr("run", "-b", bundle.directory, host.new_id()).returncode == 0
    # The same for exec: the user's own is closed to a root without capabilities.
    (bundle.rootfs / "own").mkdir(mode=0o700)
    os.chown(bundle.rootfs / "own", 42, 42)
    bundle.config["process"].update(cwd="/own", args=["/witness", "sleep", "1000"])
    bundle.save()
    container = host.new_id()
    host.ok("run", "-d", "-b", bundle.directory, container)
    host.ok("exec", "--user", "0", container, "/witness", "exit", "0")
    host.ok("delete", "--force", container)


# hooks


def test_run_keep_leaves_the_container_and_its_cgroup_until_delete(host):
    container = host.new_id()
    done = host.knarr("run", "--keep", "-b", host.bundle("exit", "3").directory, container)
    assert done.returncode == 3
    assert host.status(container) == "stopped"
    if not CGROUP_MANAGER:  # systemd removes that of a scope without processes
        assert host.cgroups()
    host.ok("delete", container)
    host.assert_clean()


def test_delete_regex_removes_what_it_matches_and_nothing_else(host):
    ids = [host.new_id() for _ in range(3)]
    names = [ids[0] + "-web", ids[1] + "-web", ids[2] + "-db"]
    for name in names:
        host.ok("create", "-b", host.bundle("wait-signal").directory, name)
    host.ok("start", names[1])
    assert "running" in host.refused("delete", "--regex", f"^{host.token}.*-web$")
    assert [one["id"] for one in json.loads(host.ok("list", "--json").stdout)] == sorted(names[1:])
    host.ok("delete", "--regex", "--force", "[-]web$")
    assert host.ok("list", "-q").stdout.split() == [names[2]]
    host.ok("delete", "--regex", "no-such-thing")
    done = host.knarr("delete", "--regex", "(")
    assert done.returncode == 2 and "regular expression" in done.stderr
    assert host.ok("list", "-q").stdout.split() == [names[2]]


def test_options_stand_before_and_after_the_id(host):
    directory = host.bundle("wait-signal").directory
    for words in (("-b", directory, host.new_id()), (host.new_id(), "-b", directory)):
        host.ok("create", *words)
    first, second = host.ok("list", "-q").stdout.split()
    host.ok("start", first)
    host.ok("kill", first, "--signal", "KILL")
    host.ok("delete", first, "--force")
    host.ok("delete", "--force", second)
    host.ok("delete", host.new_id(), "--force")
    assert host.knarr("delete", host.new_id()).returncode == 1
    assert host.knarr("start", host.new_id()).returncode == 1


@pytest.mark.parametrize("words", [["delete"], ["delete", "--force"], ["rm", "-f"]], ids=" ".join)
def test_a_zombie_that_nobody_reaps_can_be_deleted(host, words):
    """We are the next subreaper above it, and do not care."""
    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    pid = None
    try:
        container = host.new_id()
        host.ok("create", "--bundle", host.bundle("wait-signal").directory, container)
        host.ok("start", container)
        pid = host.state(container)["pid"]
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert host.status(container) == "stopped"
        host.ok(*words, container)
        assert host.leftovers() == {}
        if "--force" in words:
            host.ok(*words, container)  # once more is no error
    finally:
        libc.prctl(36, 0, 0, 0, 0)
        if pid:
            os.waitpid(pid, 0)
