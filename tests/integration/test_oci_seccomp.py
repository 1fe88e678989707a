"""Seccomp filters of a bundle, and what a container finds as /proc/self/exe (CVE-2019-5736)."""

import pytest


def run(host, bundle):
    bundle.save()
    return host.knarr("run", "--bundle", bundle.directory, host.new_id())


def deny(names, **more):
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO", **more}]}


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_a_filter_is_in_force_when_the_program_runs(host, no_new_privileges):
    bundle = host.bundle()
    bundle.use_shell("/busybox mkdir /tmp/x; echo $?; /busybox grep Seccomp /proc/self/status")
    bundle.config["process"]["noNewPrivileges"] = no_new_privileges
    bundle.config["linux"]["seccomp"] = deny(["mkdir", "mkdirat"], errnoRet=28)
    done = run(host, bundle)
    assert done.stdout.split() == ["1", "Seccomp:", "2", "Seccomp_filters:", "1"], done.stderr
    assert "No space left" in done.stderr
    assert not (bundle.rootfs / "tmp/x").exists()


def test_a_filter_need_not_allow_what_only_the_runtime_does(host):
    bundle = host.bundle("exit", "5")
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"action": "SCMP_ACT_ALLOW",
                      "names": ["execve", "exit", "exit_group", "arch_prctl", "brk", "mprotect",
                                "set_tid_address", "set_robust_list", "rseq", "prlimit64",
                                "readlinkat", "readlink", "getrandom", "newfstatat", "write"]}]}
    assert run(host, bundle).returncode == 5


@pytest.mark.parametrize("default, seen", [
    ("SCMP_ACT_ERRNO", {"try:139=EPERM", "try:439=ENOSYS"}), ("SCMP_ACT_LOG", {"try:439=EFAULT"})])
def test_calls_newer_than_all_of_the_profile_are_not_there(host, default, seen):
    """A program that tries faccessat2(2), 439, must fall back instead of giving up."""
    bundle = host.bundle("try", "139", "try", "439")
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"action": "SCMP_ACT_ERRNO", "names": ["statx"], "errnoRet": 28},  # 332
                     {"action": "SCMP_ACT_ALLOW",
                      "names": ["execve", "exit", "exit_group", "arch_prctl", "brk", "mprotect", "mmap",
                                "set_tid_address", "set_robust_list", "prlimit64", "readlinkat",
                                "readlink", "getrandom", "newfstatat", "fstat", "write", "ioctl"]}]}
    assert seen <= set(run(host, bundle).stdout.splitlines())


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_start_hooks_are_bound_as_the_program_is(host, no_new_privileges):
    """The program of such a hook is the image's: no more rights than its own program, as with runc."""
    bundle, log = host.bundle("exit", "3"), host.directory / "log"
    bundle.config["process"].update(noNewPrivileges=no_new_privileges, user={"uid": 1000, "gid": 1001})
    bundle.config["annotations"] = {"run.oci.hooks.stdout": str(log)}
    bundle.config["linux"]["seccomp"] = deny(["mkdir", "mkdirat"], errnoRet=28)
    bundle.hook("startContainer", "/witness", "ids", "caps", "security", "mkdir", "/tmp/x")
    done = run(host, bundle)
    assert done.returncode == 3, done.stderr
    seen = dict(line.split("=", 1) for line in log.read_text().splitlines())
    assert (seen["uid"], seen["gid"], seen["seccomp"]) == ("1000", "1001", "2")
    assert seen["mkdir:/tmp/x"] == "ENOSPC"
    assert seen["no_new_privs"] == ("1" if no_new_privileges else "0")
    assert {int(seen[f"cap_{name}"], 16) for name in ("effective", "permitted", "bounding")} == {0}


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_a_start_hook_that_the_filter_kills_is_an_error(host, no_new_privileges):
    bundle = host.bundle("write", "/tmp/ran")
    bundle.config["process"]["noNewPrivileges"] = no_new_privileges
    bundle.config["linux"]["seccomp"] = deny([])
    bundle.config["linux"]["seccomp"]["syscalls"] = [{"names": ["mkdir"], "action": "SCMP_ACT_KILL"}]
    bundle.hook("startContainer", "/witness", "mkdir", "/tmp/x")
    message = host.refused("run", "--bundle", bundle.directory, host.new_id())
    assert "startContainer" in message and "bad system call" in message and "linux.seccomp" in message
    assert not (bundle.rootfs / "tmp/ran").exists()
    host.assert_clean()


def test_proc_self_exe_as_start_hook_is_never_knarr(host):
    log = host.directory / "log"
    for path in ("/proc/self/exe", "/script"):
        bundle = host.bundle("exit", "0")
        (bundle.rootfs / "script").write_text("#!/proc/self/exe\n")
        (bundle.rootfs / "script").chmod(0o755)
        bundle.config["annotations"] = {"run.oci.hooks.stdout": str(log)}
        bundle.hook("startContainer", path, "--version")
        assert path in host.refused("run", "--bundle", bundle.directory, host.new_id())
        assert log.read_text() == "", "the host's knarr ran inside the container"


def test_unknown_calls_are_one_warning_and_wrong_actions_an_error(host):
    bundle = host.bundle("exit", "0")
    bundle.config["linux"]["seccomp"] = deny(["acct", "no_such_call", "nor_this"])
    done = run(host, bundle)
    assert done.returncode == 0
    assert done.stderr.count("warning") == 1
    assert "no_such_call nor_this" in done.stderr
    bundle.config["linux"]["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_MAYBE"
    bundle.save()
    message = host.refused("run", "--bundle", bundle.directory, host.new_id())
    assert "linux.seccomp.syscalls[0]" in message and "SCMP_ACT_MAYBE" in message


def test_proc_self_exe_as_program_or_interpreter_is_never_knarr(host):
    bundle = host.bundle()
    (bundle.rootfs / "script").write_text("#!/proc/self/exe\n")
    (bundle.rootfs / "script").chmod(0o755)
    for args in (["/proc/self/exe", "--version"], ["/script"]):
        bundle.config["process"]["args"] = args
        done = run(host, bundle)
        assert done.stdout == "", "the host's knarr ran inside the container"
        assert done.returncode == 127, done.stderr


def test_proc_self_exe_is_the_program_itself(host):
    bundle = host.bundle()
    bundle.use_shell("/busybox readlink /proc/self/exe; cd /proc/self/fd; echo *")
    done = run(host, bundle)
    assert done.stdout.splitlines() == ["/busybox", "0 1 2 3"]  # 3 is the directory it reads
