"""exec: a further program in a running container. Spelling and statuses are runc's."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import threading

import pytest
from oci import TOKEN_VARIABLE, alive, wait_until

CANNOT_EXEC = 255


class Box:
    """A running container with the files that exec is asked about."""

    def __init__(self, host, change=None):
        self.host = host
        self.bundle = host.bundle("sleep", "100000")
        etc = self.bundle.rootfs / "etc"
        etc.mkdir()
        (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n1000:x:0:0:trap:/:/bin/sh\n"
                                    "web:x:1000:100:web:/srv/web:/bin/sh\n")
        (etc / "group").write_text("users:x:100:\nlog:x:7:web\n")
        if change:
            change(self.bundle.config)
            self.bundle.save()
        self.id = host.new_id()
        host.ok("run", "--detach", "--bundle", self.bundle.directory, self.id)
        wait_until(host.processes, "the container does not run")

    def exec(self, *words, **options):
        return self.host.knarr("exec", *words[:-1], self.id, *words[-1], **options)

    def see(self, *words):
        """What the witness reports, as a dictionary; the last word is its list of words."""
        done = self.exec(*words[:-1], ["/witness", *words[-1]])
        assert done.returncode == 0, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def box(host):
    return Box(host)


def test_the_program_is_in_the_containers_namespaces_cgroup_and_root(host, box):
    seen = box.see(["namespaces", "cgroup", "process", "list", "/"])
    first = host.state(box.id)["pid"]
    for kind in ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"):
        assert seen[f"ns.{kind}"] == os.readlink(f"/proc/{first}/ns/{kind}"), kind
    own = sorted(value for key, value in seen.items() if key.startswith("cgroup."))
    with open(f"/proc/{first}/cgroup", encoding="utf-8") as lines:
        assert own == sorted(lines.read().splitlines())
    assert seen["pid"] == seen["sid"] == seen["pgid"] and seen["ppid"] == "0"
    assert "witness" in seen["list:/"].split()


def test_stdin_stdout_and_stderr_are_the_callers(host, box):
    run = subprocess.run(host.command("exec", box.id, "/witness", "out", "o", "err", "e", "stdin"),
                         input=b"in", capture_output=True, env=host.environment(), timeout=30)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"o\nin", b"e\n")


@pytest.mark.parametrize("words, status", [
    (["exit", "0"], 0), (["exit", "7"], 7), (["exit", "255"], 255),
    (["raise", "15"], 128 + 15), (["raise", "9"], 128 + 9),
])
def test_the_exit_status_is_the_programs(box, words, status):
    assert box.exec(["/witness", *words]).returncode == status


def test_a_double_dash_after_the_id_is_no_program(box):
    assert box.exec(["--", "/witness", "exit", "3"]).returncode == 3


def test_options_after_the_id_belong_to_the_program(box):
    done = box.exec(["/witness", "process", "out", "--env"])
    assert done.returncode == 0 and "arg.3=--env" in done.stdout


@pytest.mark.parametrize("command, text", [
    (["nosuch"], "executable file not found in $PATH"),
    (["/nosuch"], "no such file or directory"),
    (["/etc"], "permission denied"),
    (["/etc/passwd"], "permission denied"),
])
def test_a_program_that_cannot_run_is_status_255_and_says_why(box, command, text):
    done = box.exec(command)
    assert done.returncode == CANNOT_EXEC
    assert text in done.stderr and "hint: " in done.stderr


@pytest.mark.parametrize("options", [
    ["--user", "nobody"], ["--user", ":7"], ["--user", "web:nogroup"], ["--user", "4294967295"],
    ["--user", "4294967296"], ["--user", "-1"], ["--user", "+1"], ["--user", "1000 "], ["--user="],
    ["--cwd", "relative"], ["--cwd", "/nowhere"], ["--cwd", "/a", "--workdir", "/b"],
    ["--additional-gids", "x"], ["--additional-gids", "4294967295"], ["--env", "=x"],
    ["--cgroup", ".."], ["--cgroup", "a/../.."], ["--cgroup", "nosuch"], ["--cgroup", "xxx:a"],
    ["--pid-file", "/nowhere/pid"], ["--preserve-fds", "7"], ["--preserve-fds", "-1"],
    ["--process", "/nowhere"], ["--detach", "--tty"], ["--console-socket", "/nowhere"],
    ["--tty", "--console-socket", "/nowhere"], ["--timeout", "0"], ["--timeout", "1", "--detach"],
])
def test_a_wrong_value_runs_nothing(host, box, options):
    before = host.processes()
    done = box.exec(*options, ["/witness", "write", "/tmp/ran"])
    assert done.returncode == CANNOT_EXEC, done.stderr
    assert done.stderr.startswith("knarr exec: ")
    assert not (box.bundle.rootfs / "tmp/ran").exists()
    assert host.processes() == before


def test_a_number_changes_that_id_alone(host):
    def change(config):
        config["process"]["user"] = {"uid": 3, "gid": 4, "additionalGids": [9]}
    box = Box(host, change)
    seen = box.see("--user", "1000", ["ids", "env"])
    # "1000" is also the name of an entry with uid 0: a number is never a name (CVE-2016-3697).
    assert (seen["uid"], seen["gid"], seen["groups"]) == ("1000", "4", "9")
    assert seen["env:HOME"] == "/srv/web"
    seen = box.see("-u", "1000:33", "-g", "5", "-g", "6,7", ["ids"])
    assert (seen["uid"], seen["gid"], seen["groups"]) == ("1000", "33", "5 6 7 9")


def test_a_name_brings_the_users_groups(box):
    seen = box.see("--user", "web", ["ids", "env"])
    assert (seen["uid"], seen["gid"], seen["groups"]) == ("1000", "100", "7")
    assert seen["env:HOME"] == "/srv/web"
    seen = box.see("--user", "web:log", ["ids"])
    assert (seen["uid"], seen["gid"], seen["groups"]) == ("1000", "7", "")


def test_user_files_are_looked_up_inside_the_root(host, scratch):
    outside = scratch / "passwd"
    outside.write_text("evil:x:4242:0::/:/bin/sh\n")
    box = Box(host)
    passwd = box.bundle.rootfs / "etc/passwd"
    passwd.unlink()
    passwd.symlink_to(outside)
    assert box.exec("--user", "evil", ["/witness", "ids"]).returncode == CANNOT_EXEC
    passwd.unlink()
    os.mkfifo(passwd)  # must not block
    assert box.exec("--user", "web", ["/witness", "ids"]).returncode == CANNOT_EXEC


def test_env_is_added_and_the_last_of_a_name_counts(box, monkeypatch):
    monkeypatch.setenv("KNARR_TEST_OWN", "mine")
    seen = box.see("-e", "A=1", "--env", "PATH=/x", "--env=A=2", "-e", "KNARR_TEST_OWN", ["env"])
    assert (seen["env:A"], seen["env:PATH"], seen["env:KNARR_TEST_OWN"]) == ("2", "/x", "mine")
    assert "env:LANG" not in seen and "env:KNARR_ROOT" not in seen


@pytest.mark.parametrize("option", ["--cwd", "--workdir", "-w"])
def test_cwd(box, option):
    assert box.see(option, "/tmp", ["process"])["cwd"] == "/tmp"


def test_cap_adds_to_three_sets_and_never_to_the_inheritable_one(box):
    seen = box.see("--cap", "CAP_KILL", "--cap", "NET_RAW", ["caps"])
    wanted = f"{1 << 5 | 1 << 13:016x}"
    assert seen["cap_bounding"] == seen["cap_permitted"] == seen["cap_effective"] == wanted
    assert seen["cap_inheritable"] == seen["cap_ambient"] == "0" * 16


def test_no_new_privs_comes_from_the_configuration_or_the_option(host):
    def change(config):
        config["process"]["noNewPrivileges"] = False
    box = Box(host, change)
    assert box.see(["security"])["no_new_privs"] == "0"
    assert box.see("--no-new-privs", ["security"])["no_new_privs"] == "1"


@pytest.mark.parametrize("no_new_privs", [True, False])
def test_the_filter_limits_and_priorities_of_the_configuration_hold(host, no_new_privs):
    def change(config):
        process = config["process"]
        process["noNewPrivileges"] = no_new_privs
        process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
        process["oomScoreAdj"] = 500
        process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
        process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 3}
        process["user"]["umask"] = 0o027
        config["linux"]["personality"] = {"domain": "LINUX32"}
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
    box = Box(host, change)
    seen = box.see(["security", "rlimits", "process", "ids", "try", "sethostname"])
    assert seen["seccomp"] == "2" and seen["seccomp_filters"] == "1"
    assert seen["try:sethostname"] in ("EOPNOTSUPP", "ENOTSUP")
    assert seen["rlimit.nofile"] == "100 200"
    assert seen["oom_score_adj"] == "500"
    assert seen["ioprio"] == str(2 << 13 | 6)
    assert (seen["sched_policy"], seen["nice"]) == ("3", "3")
    assert seen["umask"] == "0027"
    assert seen["personality"] == "8"


def test_cpu_affinity_is_for_exec_alone(host):
    def change(config):
        config["process"]["execCPUAffinity"] = {"initial": "0", "final": "0"}
    if os.cpu_count() < 2:
        pytest.skip("needs two CPUs")
    box = Box(host, change)
    assert box.see(["process"])["cpus"] == "1"
    first = host.state(box.id)["pid"]
    assert len(os.sched_getaffinity(first)) == len(os.sched_getaffinity(0))


def test_edits_of_config_json_after_create_do_not_matter(box):
    box.bundle.config["process"]["user"]["uid"] = 77
    box.bundle.config["process"]["env"].append("EDITED=1")
    box.bundle.save()
    seen = box.see(["ids", "env"])
    assert seen["uid"] == "0" and "env:EDITED" not in seen
    (box.bundle.directory / "config.json").unlink()
    assert box.exec(["/witness", "exit", "4"]).returncode == 4


def test_a_process_file_says_what_runs(host, box):
    process = {"args": ["/witness", "ids", "env", "process"], "cwd": "/tmp", "env": ["B=1"],
               "user": {"uid": 12, "gid": 13, "additionalGids": [14]}, "noNewPrivileges": True}
    path = host.directory / "process.json"
    path.write_text(json.dumps(process))
    done = host.ok("exec", "--process", path, box.id)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert (seen["uid"], seen["gid"], seen["groups"], seen["cwd"]) == ("12", "13", "14", "/tmp")
    assert seen["env:B"] == "1" and "env:PATH" not in seen and seen["env:HOME"] == "/"
    # Options change the file's process; a command beside it is one too many.
    done = host.ok("exec", "--process", path, "--cwd", "/", "-e", "B=2", box.id)
    assert "cwd=/\n" in done.stdout and "env:B=2\n" in done.stdout
    assert host.knarr("exec", "--process", path, box.id, "/witness").returncode == CANNOT_EXEC


@pytest.mark.parametrize("text", ["", "{", "[]", "{\"args\":[]}", "{\"args\":[\"/witness\"]}",
                                  "{\"args\":[\"/witness\"],\"cwd\":\"x\"}"])
def test_a_damaged_process_file_is_refused(host, box, text):
    path = host.directory / "process.json"
    path.write_text(text)
    done = host.knarr("exec", "--process", path, box.id)
    assert done.returncode == CANNOT_EXEC and "process.json" in done.stderr


def test_detached_the_program_goes_on_and_its_pid_is_in_the_file(host, box):
    pid_file = host.directory / "pid"
    done = box.exec("--detach", "--pid-file", pid_file, ["/witness", "sleep", "1000"])
    assert done.returncode == 0 and done.stdout == ""
    pid = int(pid_file.read_text())
    assert alive(pid)
    assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{host.state(box.id)['pid']}/ns/pid")
    host.ok("delete", "--force", box.id)
    wait_until(lambda: not alive(pid), "the exec outlives its container")


def test_signals_are_passed_on(host, box):
    run = host.start_process("exec", box.id, "/witness", "wait-signal", stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"ready=1\n"
    run.send_signal(signal.SIGUSR1)
    assert run.communicate(timeout=20)[0] == b"signal=10\n"


def test_a_killed_client_leaves_the_program_running(host, box):
    pid_file = host.directory / "pid"
    run = host.start_process("exec", "--pid-file", pid_file, box.id, "/witness", "wait-signal",
                             stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"ready=1\n"
    pid = int(pid_file.read_text())
    run.kill()
    run.wait()
    assert alive(pid)
    os.kill(pid, signal.SIGTERM)
    assert run.stdout.readline() == b"signal=15\n"
    wait_until(lambda: not alive(pid), "the program does not end")


def test_at_the_timeout_the_whole_process_group_is_dead(host, box):
    before = sorted(host.processes())
    done = box.exec("--timeout", "1", ["/witness", "children", "3", "sleep", "1000"])
    assert done.returncode == CANNOT_EXEC
    assert "timed out" in done.stderr or "longer than 1 s" in done.stderr
    wait_until(lambda: sorted(host.processes()) == before, "processes are left")
    assert host.status(box.id) == "running"


@pytest.mark.parametrize("size", [0, 10 << 20])
def test_large_input_and_output_pass_unchanged(host, box, size):
    data = os.urandom(size)
    run = subprocess.run(host.command("exec", box.id, "/witness", "stdin"), input=data,
                         capture_output=True, env=host.environment(), timeout=60)
    assert run.returncode == 0 and run.stdout == data


def test_preserved_descriptors_arrive_and_no_other(host, box):
    command = shlex.join(host.command("exec", "--preserve-fds", "1", box.id, "/witness", "fds"))
    done = subprocess.run(["sh", "-c", f"exec 3</dev/null 4</dev/null; exec {command}"],
                          capture_output=True, text=True, env=host.environment(),
                          stdin=subprocess.DEVNULL, timeout=30)
    fds = [line.split("=")[0] for line in done.stdout.splitlines() if line.startswith("fd.")]
    assert fds == ["fd.0", "fd.1", "fd.2", "fd.3"], done.stderr


def test_fifty_at_once(host, box):
    results = []

    def one(number):
        done = subprocess.run(host.command("exec", box.id, "/witness", "out", str(number), "exit", "5"),
                              capture_output=True, env=host.environment(), stdin=subprocess.DEVNULL,
                              timeout=120)
        results.append((done.returncode, done.stdout))
    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted((5, f"{number}\n".encode()) for number in range(50))


def test_a_created_container_can_be_entered_as_with_runc(host):
    container = host.new_id()
    host.ok("create", "--bundle", host.bundle("exit", "0").directory, container)
    assert host.knarr("exec", container, "/witness", "exit", "6").returncode == 6
    assert host.status(container) == "created"


def test_a_container_that_is_not_there_or_stopped_is_refused(host, box):
    done = host.knarr("exec", "nobody", "/witness")
    assert done.returncode == CANNOT_EXEC and "does not exist" in done.stderr
    host.ok("kill", box.id, "KILL")
    wait_until(lambda: host.status(box.id) == "stopped", "it does not stop")
    done = box.exec(["/witness"])
    assert done.returncode == CANNOT_EXEC and "is stopped, not created or running" in done.stderr


def own_cgroup(host, container, controller):
    """The directory of the container's cgroup in v2, else in the v1 hierarchy of a controller."""
    with open(f"/proc/{host.state(container)['pid']}/cgroup", encoding="utf-8") as lines:
        found = {name: path for _, name, path in (line.rstrip().split(":", 2) for line in lines)}
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return f"/sys/fs/cgroup{found['']}"
    if controller not in found:
        pytest.skip(f"no cgroup controller {controller} on this host")
    return f"/sys/fs/cgroup/{controller}{found[controller]}"


def freezer_of(host, container):
    """The file that freezes the container, and what is written to freeze and to thaw."""
    place = own_cgroup(host, container, "freezer")
    v2 = f"{place}/cgroup.freeze"
    return (v2, "1", "0") if os.path.exists(v2) else (f"{place}/freezer.state", "FROZEN", "THAWED")


def test_a_paused_container_is_refused_or_waited_for(host, box):
    state, frozen, thawed = freezer_of(host, box.id)
    with open(state, "w", encoding="utf-8") as file:
        file.write(frozen)
    try:
        wait_until(lambda: host.status(box.id) == "paused", "it is not paused")
        done = box.exec(["/witness"])
        assert done.returncode == CANNOT_EXEC and "paused container" in done.stderr
        run = host.start_process("exec", "--ignore-paused", box.id, "/witness", "out", "thawed",
                                 stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(0.3)
    finally:
        with open(state, "w", encoding="utf-8") as file:
            file.write(thawed)
    assert run.communicate(timeout=20)[0] == b"thawed\n"


def test_a_sub_cgroup_is_joined(host, box):
    place = own_cgroup(host, box.id, "memory")
    os.mkdir(f"{place}/inner")
    v2 = os.path.exists(f"{place}/cgroup.freeze")
    done = box.exec("--cgroup", "inner" if v2 else "memory:inner", ["/witness", "cgroup"])
    assert done.returncode == 0, done.stderr
    joined = [line for line in done.stdout.splitlines() if line.endswith("/inner")]
    top = "/sys/fs/cgroup" if v2 else "/sys/fs/cgroup/memory"
    assert len(joined) == 1
    assert joined[0].endswith(f":{'' if v2 else 'memory'}:{place.removeprefix(top)}/inner")


def test_a_user_namespace_is_entered(host):
    def change(config):
        config["linux"]["namespaces"].append({"type": "user"})
        maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = maps
    host.directory.chmod(0o711)  # the container's root has no rights here
    box = Box(host, change)
    process = {"args": ["/witness", "ids", "namespaces", "process"], "cwd": "/", "oomScoreAdj": 300,
               "user": {"uid": 5, "gid": 6}}
    path = host.directory / "process.json"
    path.write_text(json.dumps(process))
    done = host.ok("exec", "--process", path, box.id)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert (seen["uid"], seen["gid"]) == ("5", "6")
    assert seen["ns.user"] == os.readlink(f"/proc/{host.state(box.id)['pid']}/ns/user")
    assert seen["oom_score_adj"] == "300"


def test_without_a_mount_namespace_the_root_is_still_the_containers(host):
    def change(config):
        config["linux"]["namespaces"] = [{"type": "pid"}]
        config["mounts"] = []
        del config["hostname"]
    box = Box(host, change)
    assert box.see(["list", "/"])["list:/"].split() == sorted(
        entry.name for entry in box.bundle.rootfs.iterdir())


def test_a_container_that_ends_meanwhile_takes_the_program_with_it(host, box):
    run = host.start_process("exec", box.id, "/witness", "wait-signal", stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"ready=1\n"
    host.ok("delete", "--force", box.id)
    assert run.wait(20) == 128 + signal.SIGKILL


def test_execs_that_race_with_the_end_of_the_container_never_hang(host):
    for _ in range(5):
        box = Box(host)
        runs = [host.start_process("exec", box.id, "/witness", "sleep", "1000",
                                   stderr=subprocess.DEVNULL) for _ in range(4)]
        host.ok("delete", "--force", box.id)
        for run in runs:
            assert run.wait(20) in (CANNOT_EXEC, 128 + signal.SIGKILL)


def test_the_environment_of_the_caller_does_not_come_in(box):
    seen = box.see(["env"])
    assert set(seen) == {"env:PATH", f"env:{TOKEN_VARIABLE}", "env:HOME"}


def test_while_a_run_says_that_its_program_runs_exec_waits(host, box):
    """The program's own first output may be what exec was started for."""
    place = host.root / box.id
    record = (place / "state.json").read_text()
    assert '"running"' in record
    with (place / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (place / "state.json").write_text(record.replace('"running"', '"creating"'))
        process = host.start_process("exec", box.id, "/witness", "exit", "5")
        # It has looked by then, and an exec that does not wait has ended.
        wait_until(lambda: process.poll() is not None or opened(process.pid, place) == 2,
                   "exec does not go for the lock")
        assert process.poll() is None
        (place / "state.json").write_text(record)
    assert process.wait(20) == 5


def opened(pid, path):
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return 0  # it closed one meanwhile
    return links.count(str(path))
