"""The failures that users of runc and crun ask about most: each message names the operation, the
object, the cause and the fix. One case each; what is asserted is what a person needs to go on."""

import json
import os
import re
import resource
import shutil
import subprocess

import pytest

import rootless
from oci import wait_until


def program(bundle, name, text, mode=0o755):
    path = bundle.rootfs / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    bundle.config["process"]["args"] = ["/" + name]


def elf(machine, interpreter=None):
    """A program's head: 64-bit little-endian, for `machine`, with a loader."""
    header = bytearray(b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little")
                       + machine.to_bytes(2, "little") + (1).to_bytes(4, "little") + bytes(40))
    if interpreter is None:
        return bytes(header) + bytes(64)
    header[32:40] = (64).to_bytes(8, "little")  # e_phoff
    header[54:56] = (56).to_bytes(2, "little")  # e_phentsize
    header[56:58] = (1).to_bytes(2, "little")   # e_phnum
    text = interpreter.encode() + b"\0"
    segment = ((3).to_bytes(4, "little") + (4).to_bytes(4, "little") + (120).to_bytes(8, "little")
               + bytes(16) + len(text).to_bytes(8, "little") * 2 + (1).to_bytes(8, "little"))
    return bytes(header) + segment + text


def missing_in_path(bundle):
    bundle.config["process"]["args"] = ["nosuch"]


def missing_program(bundle):
    bundle.config["process"]["args"] = ["/opt/nosuch"]


def missing_interpreter(bundle):
    program(bundle, "script", "#!/bin/bash\necho hi\n")


def windows_script(bundle):
    program(bundle, "script", "#!/witness\r\n")


def missing_loader(bundle):
    program(bundle, "dynamic", elf(62, "/lib/ld-musl-x86_64.so.1"))


def foreign_machine(bundle):
    program(bundle, "foreign", elf(183 if os.uname().machine == "x86_64" else 62))


def no_format(bundle):
    program(bundle, "notes", "just text\n")


def no_x_bit(bundle):
    program(bundle, "plain", "#!/witness\n", mode=0o644)


def not_for_this_user(bundle):
    program(bundle, "private", "#!/witness\n", mode=0o700)
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}


def closed_directory(bundle):
    (bundle.rootfs / "closed").mkdir(mode=0o700)
    shutil.copy2(bundle.rootfs / "witness", bundle.rootfs / "closed/witness")
    bundle.config["process"].update(args=["/closed/witness"], user={"uid": 1000, "gid": 1000})


def noexec_mount(bundle):
    bundle.config["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs",
                                    "options": ["noexec", "tmpcopyup", "mode=755"]})
    (bundle.rootfs / "data").mkdir()
    shutil.copy2(bundle.rootfs / "witness", bundle.rootfs / "data/witness")
    bundle.config["process"]["args"] = ["/data/witness"]


def cwd_is_a_file(bundle):
    bundle.config["process"]["cwd"] = "/witness"


def missing_rootfs(bundle):
    bundle.config["root"]["path"] = "nowhere"


def missing_source(bundle):
    bundle.config["mounts"].append({"destination": "/v", "type": "bind", "source": "/no/volume",
                                    "options": ["rbind"]})


def directory_on_file(bundle):
    (bundle.rootfs / "file").touch()
    bundle.config["mounts"].append({"destination": "/file", "type": "bind", "source": "/tmp",
                                    "options": ["rbind"]})


def target_on_read_only(bundle):
    (bundle.directory / "empty").mkdir()
    bundle.config["mounts"] += [
        {"destination": "/ro", "type": "bind", "source": str(bundle.directory / "empty"),
         "options": ["rbind", "ro"]},
        {"destination": "/ro/below", "type": "bind", "source": "/tmp", "options": ["rbind"]}]


def unknown_file_system(bundle):
    bundle.config["mounts"].append({"destination": "/v", "type": "nosuchfs", "source": "x"})


def bad_mount_option(bundle):
    bundle.config["mounts"].append({"destination": "/v", "type": "tmpfs", "source": "tmpfs",
                                    "options": ["sise=1m"]})


def sysctl_of_the_host(bundle):
    bundle.config["linux"]["sysctl"] = {"vm.swappiness": "1"}


def sysctl_without_namespace(bundle):
    bundle.share("network")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}


def hostname_without_namespace(bundle):
    bundle.share("uts")


def namespace_that_is_gone(bundle):
    bundle.share("network")
    bundle.config["linux"]["namespaces"].append({"type": "network", "path": "/run/netns/gone"})


def namespace_of_another_kind(bundle):
    bundle.share("network")
    bundle.config["linux"]["namespaces"].append({"type": "network", "path": "/proc/self/ns/uts"})


def no_mapping(bundle):
    bundle.config["linux"]["namespaces"].append({"type": "user"})


def rlimit_above_ours(bundle):
    bundle.config["process"]["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 1 << 20, "hard": (1 << 30)}]


def failing_hook(bundle):
    bundle.hook("createRuntime", "/bin/sh", "-c", "echo the disk is on fire >&2; exit 3")


def missing_hook(bundle):
    bundle.hook("createRuntime", "/no/hook")


def unknown_namespace(bundle):
    bundle.config["linux"]["namespaces"].append({"type": "networks"})


def exclusive_cpu(bundle):
    bundle.config["linux"]["resources"] = {"cpu": {"cpus": "999"}}


def terminal_alone(bundle):
    bundle.config["process"]["terminal"] = True


def seccomp(bundle, default, *rules):
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": default,
        "syscalls": [{"names": names, "action": action} for names, action in rules]}


def seccomp_denies_the_program(bundle):
    seccomp(bundle, "SCMP_ACT_ALLOW", (["mkdir", "execve"], "SCMP_ACT_ERRNO"))


def seccomp_forgets_the_program(bundle):
    seccomp(bundle, "SCMP_ACT_KILL_PROCESS", (["read", "write", "exit_group"], "SCMP_ACT_ALLOW"))


def seccomp_unknown_call(bundle):
    seccomp(bundle, "SCMP_ACT_ALLOW", (["mkdir", "frobnicate"], "SCMP_ACT_ERRNO"))
    bundle.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "1"}


def no_apparmor(bundle):
    if os.path.exists("/sys/kernel/security/apparmor"):
        pytest.skip("this host has AppArmor")
    bundle.config["process"]["apparmorProfile"] = "containers-default"


def no_selinux(bundle):
    if os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("this host has SELinux")
    bundle.config["process"]["selinuxLabel"] = "system_u:system_r:container_t:s0"


def missing_controller(bundle):
    with open("/proc/self/cgroup", encoding="ascii") as file:
        lines = file.read()
    if "rdma" in lines or os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        pytest.skip("no controller is known to be missing here")
    bundle.config["linux"]["resources"] = {"rdma": {"mlx5_0": {"hcaHandles": 3}}}


# name: (what is wrong, the verb, exit status or None, words of the message: operation, object, cause;
# words of the hint)
CASES = {
    "not in PATH": (missing_in_path, "run", 127,
                    ['"nosuch"', "executable file not found in $PATH", "(/bin:/)"], ["PATH"]),
    "no such program": (missing_program, "create", 127,
                        ["/opt/nosuch", "no such file or directory"], ["path"]),
    "no interpreter": (missing_interpreter, "run", 127, ["/script", '"/bin/bash"'], ["interpreter"]),
    "windows line ends": (windows_script, "run", 127, ["/script", "/witness"], ["CR LF"]),
    "no loader": (missing_loader, "run", 127, ["/dynamic", "/lib/ld-musl-x86_64.so.1"],
                  ["libc"]),
    "foreign machine": (foreign_machine, "run", 126,
                        ["/foreign", "arm64", "amd64", "exec format error"], ["platform"]),
    "no format": (no_format, "run", 126, ["/notes", "exec format error"], ["interpreter"]),
    "not executable": (no_x_bit, "create", 126, ["/plain", "0644", "permission denied"], ["chmod"]),
    "executable for another": (not_for_this_user, "run", 126,
                               ["/private", "user 1000", "0700", "ermission denied"], ["chmod"]),
    "closed directory": (closed_directory, "run", 126,
                         ["/closed", "user 1000", "0700", "ermission denied"], ["chmod a+x /closed"]),
    "noexec": (noexec_mount, "run", 126, ["/data/witness", "noexec", "ermission denied"],
               ["without noexec"]),
    "cwd is a file": (cwd_is_a_file, "create", None, ["working directory", "/witness", "ot a directory"],
                      ["process.cwd"]),
    "no root file system": (missing_rootfs, "run", None, ["nowhere", "root"], ["root.path"]),
    "no source": (missing_source, "run", None, ["/v", "/no/volume", "o such file or directory"],
                  ["source", "host"]),
    "directory on file": (directory_on_file, "run", None, ["/file", "ot a directory"],
                          ["file is in the way"]),
    "target on read-only": (target_on_read_only, "run", None, ["/ro/below", "ead-only"], ["make"]),
    "unknown file system": (unknown_file_system, "run", None, ["/v", "nosuchfs"], ["filesystems"]),
    "mount option": (bad_mount_option, "run", None, ["/v", "sise"], ["option"]),
    "sysctl of the host": (sysctl_of_the_host, "run", None, ["linux.sysctl", "vm.swappiness"], []),
    "sysctl without namespace": (sysctl_without_namespace, "run", None,
                                 ["net.ipv4.ip_forward", "network"], []),
    "hostname without namespace": (hostname_without_namespace, "run", None, ["hostname", "uts"], []),
    "namespace is gone": (namespace_that_is_gone, "run", None,
                          ["/run/netns/gone", "o such file or directory"], ["linux.namespaces"]),
    "other namespace": (namespace_of_another_kind, "run", None, ["/proc/self/ns/uts", "network"], []),
    "no ID mapping": (no_mapping, "run", None, ["uidMappings"], []),
    "rlimit": (rlimit_above_ours, "run", None, ["RLIMIT_NOFILE", str(1 << 30), "ot permitted"],
               ["process.rlimits"]),
    "failing hook": (failing_hook, "create", None,
                     ["(createRuntime)", "/bin/sh", "status 3", "the disk is on fire"], []),
    "missing hook": (missing_hook, "create", None,
                     ["(createRuntime)", "/no/hook", "o such file or directory"], []),
    "unknown namespace": (unknown_namespace, "run", None, ["linux.namespaces", "networks"], []),
    "no such CPU": (exclusive_cpu, "run", None, ["cpuset.cpus", "999"], ["config.json"]),
    "seccomp denies the program": (seccomp_denies_the_program, "run", None,
                                   ["linux.seccomp", "execve", "SCMP_ACT_ERRNO"],
                                   ["SCMP_ACT_ALLOW"]),
    "seccomp forgets the program": (seccomp_forgets_the_program, "create", None,
                                    ["linux.seccomp", "execve", "SCMP_ACT_KILL_PROCESS"],
                                    ["SCMP_ACT_ALLOW"]),
    "seccomp unknown call": (seccomp_unknown_call, "run", None,
                             ["linux.seccomp", "frobnicate"], ["seccomp_fail_unknown_syscall"]),
    "no AppArmor": (no_apparmor, "create", None,
                    ["process.apparmorProfile", "containers-default", "not enabled"],
                    ["leave the profile out"]),
    "no SELinux": (no_selinux, "create", None,
                   ["process.selinuxLabel", "container_t", "not enabled"], ["leave the label out"]),
    "missing controller": (missing_controller, "create", None,
                           ["linux.resources.rdma", "no mounted cgroup hierarchy"], ["mount"]),
    "terminal alone": (terminal_alone, "create", None, ["process.terminal"], ["--console-socket"]),
}


def split_report(stderr):
    message = "".join(line for line in stderr.splitlines(True) if not line.startswith("hint: "))
    return message, "".join(line for line in stderr.splitlines(True) if line.startswith("hint: "))


@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
def test_an_error_names_operation_object_cause_and_fix(host, name):
    change, verb, status, words, fixes = CASES[name]
    bundle = host.bundle("exit", "0")
    change(bundle)
    bundle.save()
    done = host.knarr(verb, "-b", bundle.directory, host.new_id())
    assert done.returncode == status if status else done.returncode > 0, done.stderr
    message, hint = split_report(done.stderr)
    assert message.startswith(f"knarr {verb}: "), message
    for word in words:
        assert word in message, message
    assert hint, f"no way out is named: {message}"
    for word in fixes:
        assert word in hint, hint


def test_the_message_in_the_log_has_the_fix_for_whoever_shows_only_that(host):
    bundle, log = host.bundle(), host.directory / "log"
    missing_interpreter(bundle)
    bundle.save()
    host.refused("--log", log, "--log-format=json", "run", "-b", bundle.directory, host.new_id())
    message = json.loads(log.read_text())["msg"]
    assert "/bin/bash" in message and "install the interpreter" in message


def test_a_file_that_is_being_written(host):
    bundle = host.bundle("exit", "0")
    with (bundle.rootfs / "witness").open("r+b"):
        message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "/witness" in message and "ext file busy" in message and "open for writing" in message


def test_a_closed_directory_on_the_way_to_the_bundle(host):
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv on this machine")
    bundle = host.bundle("exit", "0")
    host.directory.chmod(0o700)
    done = subprocess.run(["setpriv", "--reuid=54321", "--clear-groups", "--", str(host.knarr_path),
                           "--root", "/tmp/knarr-none", "run", "-b", str(bundle.directory), "x"],
                          capture_output=True, text=True, check=False)
    if "setpriv: failed to execute" in done.stderr:
        pytest.skip("an ordinary user cannot reach the build directory")
    message, hint = split_report(done.stderr)
    assert str(host.directory) in message and "54321" in message and "0700" in message
    assert "chmod a+x" in hint


@pytest.mark.parametrize("verb, state, words, fix", [
    ("start", "running", ["is running", "not created"], None),
    ("create", "running", ["exists"], "delete"),
    ("exec", "stopped", ["is stopped"], None), ("kill", "stopped", ["is stopped"], None),
    ("delete", "running", ["is running"], "--force")])
def test_a_wrong_state_names_the_state(host, verb, state, words, fix):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    host.ok("run", "-d", "-b", bundle.directory, container)
    if state == "stopped":
        host.ok("kill", container, "KILL")
        wait_until(lambda: host.status(container) == "stopped", "it does not stop")
    more = {"create": ["-b", bundle.directory], "exec": [], "kill": []}.get(verb, [])
    message, hint = split_report(host.refused(verb, *more, container,
                                              *(["/witness"] if verb == "exec" else [])))
    assert container in message
    for word in words:
        assert word in message, message
    assert hint and (fix is None or fix in hint), hint


def test_a_container_that_does_not_exist(host):
    for verb in ("start", "state", "kill", "delete"):
        message, hint = split_report(host.refused(verb, "nobody"))
        assert "nobody does not exist" in message and "knarr ps -a" in hint


def test_exec_beyond_the_limit_of_processes(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.config["linux"]["resources"] = {"pids": {"limit": 1}}
    bundle.save()
    host.ok("run", "-d", "-b", bundle.directory, container)
    done = host.knarr("exec", container, "/witness", "exit", "0")
    if done.returncode == 0:
        pytest.skip("the kernel counts no process that is moved into a cgroup")
    assert re.search("pids|process", done.stderr), done.stderr


def test_a_user_that_the_container_does_not_know(host):
    container = host.new_id()
    host.ok("run", "-d", "-b", host.bundle("wait-signal").directory, container)
    message = host.refused("exec", "--user", "nobody-here", container, "/witness", "exit", "0")
    assert "nobody-here" in message and "passwd" in message


def test_a_damaged_configuration_names_the_place(host):
    bundle = host.bundle()
    (bundle.directory / "config.json").write_text('{"ociVersion": "1.2.0",\n  "process": {,}\n}')
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "config.json" in message and re.search(r"line 2|2:\d+|offset|byte", message), message


def test_too_many_open_files(host):
    """Of knarr itself: the limit of whoever calls it."""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))

    done = host.knarr("run", "-b", host.bundle("exit", "0").directory, host.new_id(), preexec_fn=few)
    assert done.returncode > 0 and "oo many open files" in done.stderr, done.stderr


def test_a_profile_with_an_unknown_call_runs_and_names_it(host):
    bundle = host.bundle("exit", "0")
    seccomp(bundle, "SCMP_ACT_ALLOW", (["mkdir", "frobnicate"], "SCMP_ACT_ERRNO"))
    bundle.save()
    assert "frobnicate" in host.ok("run", "-b", bundle.directory, host.new_id()).stderr


def test_a_profile_that_leaves_the_program_to_arguments_or_the_log_runs(host):
    bundle = host.bundle("exit", "0")
    seccomp(bundle, "SCMP_ACT_ALLOW", (["execve"], "SCMP_ACT_LOG"))
    bundle.save()
    host.ok("run", "-b", bundle.directory, host.new_id())
    bundle.config["linux"]["seccomp"]["syscalls"] = [
        {"names": ["execve"], "action": "SCMP_ACT_ERRNO",
         "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]
    bundle.save()
    host.ok("run", "-b", bundle.directory, host.new_id())


MIB = 1 << 20


def test_a_limit_that_not_even_the_start_fits_in(host):
    """How far it comes depends on what is charged when: the launch is killed, or the program is."""
    bundle = host.bundle("exit", "0")
    bundle.config["linux"]["resources"] = {"memory": {"limit": 4096}}
    bundle.save()
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "was killed" in message and "memory.limit" in message, message
    assert re.search(r"limit is (4096 bytes|4\.0 KiB)", message), message


def test_a_program_killed_for_memory_is_told_with_limit_and_peak(host):
    bundle = host.bundle("memory", "64")
    bundle.config["linux"]["resources"] = {"memory": {"limit": 16 * MIB, "swap": 16 * MIB}}
    bundle.save()
    container = host.new_id()
    done = host.knarr("run", "-b", bundle.directory, container)
    assert done.returncode == 137
    message = re.search(r"warning: (.*out of memory.*)", done.stderr)
    assert message, done.stderr
    assert container in message[1] and "16.0 MiB" in message[1] and "memory.limit" in message[1]
    peak = float(re.search(r"peak use ([0-9.]+) MiB", message[1])[1])
    assert 15 <= peak <= 16, message[1]


def test_a_program_killed_by_somebody_is_not_blamed_on_memory(host):
    bundle = host.bundle("wait-signal")
    bundle.config["linux"]["resources"] = {"memory": {"limit": 64 * MIB}}
    bundle.save()
    container = host.new_id()
    running = host.start_process("run", "-b", bundle.directory, container, stderr=subprocess.PIPE)
    def runs():
        told = host.knarr("state", container)  # that it does not exist, as long as it has no record
        return told.returncode == 0 and json.loads(told.stdout)["status"] == "running"
    wait_until(runs, "it does not run")
    host.ok("kill", container, "KILL")
    assert b"memory" not in running.communicate(timeout=30)[1]
    assert running.returncode == 137


@pytest.mark.parametrize("what, words, fix", [
    ("helper", ["linux.uidMappings", "newuidmap", "not installed"], "apt-get install uidmap"),
    ("limits", ["linux.resources", "no cgroup is delegated"], "Delegate=yes")])
def test_what_an_ordinary_user_misses(knarr_path, witness_path, scratch, what, words, fix):
    rootless.needs_user_namespaces()
    host = rootless.UserHost(knarr_path, witness_path, scratch)
    bundle = host.bundle("ids")
    if what == "helper":
        rootless.needs_helpers()
        host.replace("/usr/bin/newuidmap", "")
        rootless.map_range(bundle)
    else:
        if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            pytest.skip("cgroup v2: what is delegated is tested in test_rootless_cgroups.py")
        bundle.config["linux"]["resources"] = {"pids": {"limit": 10}}
        bundle.save()
    message, hint = split_report(host.refused("run", "--bundle", bundle.directory, host.new_id()))
    for word in words:
        assert word in message, message
    assert fix in hint, hint
    host.assert_clean()
