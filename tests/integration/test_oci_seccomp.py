"""Seccomp filters of a bundle, and what a container finds as /proc/self/exe (CVE-2019-5736)."""

import pytest
from oci import Host


@pytest.fixture
def host(knarr_path, witness_path, scratch, needs_root):
    host = Host(knarr_path, witness_path, scratch)
    yield host
    host.destroy()
    host.assert_clean()


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
