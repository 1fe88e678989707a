"""Single fields of config.json as the program finds them; tests/differential compares whole files."""

import json
import os
import pathlib
import subprocess

import pytest


def run(host, bundle, **options):
    bundle.save()
    return host.ok("run", "-b", bundle.directory, host.new_id(), **options).stdout


def mount_of(report, point):
    """(flags, optional fields) of the last mount on `point`."""
    lines = [line.partition("=")[2].split() for line in report.splitlines() if line.startswith("mount.")]
    fields = [line for line in lines if line[4] == point][-1]
    return fields[5].split(","), fields[6:fields.index("-")]


def volume(host, bundle, *options, target="/volume"):
    source = host.directory / f"volume{len(bundle.config['mounts'])}"
    (source / "below").mkdir(parents=True)
    (source / "file").write_text("of the volume")
    source.chmod(0o755)
    bundle.config["mounts"].append({"destination": target, "type": "bind", "source": str(source),
                                    "options": list(options)})
    return source


# Mounts

@pytest.mark.parametrize("option, shown", [("private", []), ("rprivate", []), ("shared", ["shared"]),
                                           ("rshared", ["shared"]), ("unbindable", ["unbindable"]),
                                           ("runbindable", ["unbindable"])])
@pytest.mark.parametrize("root", ["private", "shared", "unbindable"])
def test_a_bind_mount_has_the_propagation_that_it_asks_for(host, option, shown, root):
    bundle = host.bundle("mounts")
    bundle.config["linux"]["rootfsPropagation"] = root
    volume(host, bundle, "rbind", option)
    report = run(host, bundle)
    tags = {path: [tag.partition(":")[0] for tag in mount_of(report, path)[1]] for path in ("/", "/volume")}
    for path, wanted in (("/volume", shown), ("/", {"private": [], "shared": ["shared"],
                                                    "unbindable": ["unbindable"]}[root])):
        if "shared" in tags[path] and "master" in tags[path]:
            tags[path].remove("master")  # where the host's mounts are shared they go on to it
        assert tags[path] == wanted


@pytest.mark.parametrize("option, flag", [("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"),
                                          ("rnoexec", "noexec"), ("rnoatime", "noatime"),
                                          ("rnodiratime", "nodiratime"), ("rnosymfollow", "nosymfollow")])
def test_recursive_flags_reach_what_lies_below(host, option, flag):
    bundle = host.bundle("mounts")
    source = volume(host, bundle, "rbind", option)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "below"], check=True)
    try:
        report = run(host, bundle)
        assert flag in mount_of(report, "/volume")[0] and flag in mount_of(report, "/volume/below")[0]
    finally:
        subprocess.run(["umount", source / "below"], check=True)


@pytest.mark.parametrize("option, flag", [("rrw", "ro"), ("rsuid", "nosuid"), ("rdev", "nodev"),
                                          ("rexec", "noexec"), ("ratime", "noatime"),
                                          ("rrelatime", "noatime"), ("rdiratime", "nodiratime")])
def test_recursive_clearing_flags_reach_what_lies_below(host, option, flag):
    bundle = host.bundle("mounts")
    source = volume(host, bundle, "rbind", option)
    subprocess.run(["mount", "-t", "tmpfs", "-o", flag, "tmpfs", source / "below"], check=True)
    try:
        assert flag not in mount_of(run(host, bundle), "/volume/below")[0]
    finally:
        subprocess.run(["umount", source / "below"], check=True)


@pytest.mark.parametrize("option, shown", [("idmap", ["1000:1000", "0:0"]), ("ridmap", ["1000:1000", "1000:1000"])])
def test_a_mount_is_shown_with_other_ids(host, option, shown):
    bundle = host.bundle("stat", "/volume/file", "stat", "/volume/below")
    source = volume(host, bundle, "rbind", option)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", source / "below"], check=True)
    one = [{"containerID": 0, "hostID": 1000, "size": 1}]
    bundle.config["mounts"][-1] |= {"uidMappings": one, "gidMappings": one}
    try:
        report = run(host, bundle)
        assert [line.split()[2] for line in report.splitlines()] == shown
    finally:
        subprocess.run(["umount", source / "below"], check=True)


@pytest.mark.parametrize("place", ["/run", "/dev", "/made"])
def test_a_read_only_tmpfs_can_hold_what_comes_later(host, place):
    bundle = host.bundle("mounts", "can-write", place, "can-read", f"{place}/file", "stat", "/dev/null")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != place]
    bundle.config["mounts"].append({"destination": place, "type": "tmpfs", "source": "tmpfs",
                                    "options": ["ro", "nosuid", "mode=755"]})
    source = volume(host, bundle, "bind")
    bundle.config["mounts"][-1] |= {"source": str(source / "file"), "destination": f"{place}/file"}
    report = run(host, bundle)
    assert {"ro", "nosuid"} <= set(mount_of(report, place)[0])
    assert f"can-write:{place}=EROFS" in report and f"can-read:{place}/file=ok" in report
    assert "stat:/dev/null=c 0666 0:0 0 1:3" in report


# Process

@pytest.mark.parametrize("passwd, home", [(None, "/"), ("app:x:1000:1000::/srv/app:/bin/sh\n", "/srv/app"),
                                          ("x:x:1:1::/x:\n", "/"), ("\0\xff:::\n" * 9, "/")])
def test_home_comes_of_the_containers_passwd_where_none_is_given(host, passwd, home):
    bundle = host.bundle("env")
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    if passwd is not None:
        (bundle.rootfs / "etc").mkdir()
        (bundle.rootfs / "etc/passwd").write_text(passwd, encoding="latin-1")
    assert f"env:HOME={home}" in run(host, bundle).splitlines()
    bundle.config["process"]["env"].append("HOME=/given")
    assert [line for line in run(host, bundle).splitlines() if "HOME" in line] == ["env:HOME=/given"]


def test_a_passwd_that_is_a_trap_gives_no_home(host):
    bundle = host.bundle("env")
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    (bundle.rootfs / "etc").mkdir()
    os.mkfifo(bundle.rootfs / "etc/passwd")
    assert "env:HOME=/" in run(host, bundle).splitlines()


def test_a_user_may_open_its_pipes_by_name(host):
    bundle = host.bundle("can-write", "/dev/stdout", "can-write", "/dev/stderr")
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    bundle.save()
    done = subprocess.run(host.command("run", "-b", bundle.directory, host.new_id()),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, env=host.environment())
    assert done.stdout.split() == ["can-write:/dev/stdout=ok", "can-write:/dev/stderr=ok"], done.stderr


def test_files_of_the_caller_keep_their_owner(host):
    bundle = host.bundle("out", "hello")
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    bundle.save()
    done = host.ok("run", "-b", bundle.directory, host.new_id())
    assert done.out_path.stat().st_uid == 0
    assert pathlib.Path("/dev/null").stat().st_uid == 0  # was its stdin


def test_a_user_namespace_hinders_no_attribute(host):
    bundle = host.bundle("process", "clocks", "stat", "/dev/mqueue")
    mapping = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.config["linux"]["namespaces"] += [{"type": "user"}, {"type": "time"}]
    bundle.config["linux"] |= {"uidMappings": mapping, "gidMappings": mapping,
                               "timeOffsets": {"monotonic": {"secs": 360000}, "boottime": {"secs": 720000}}}
    bundle.config["process"]["oomScoreAdj"] = 321
    bundle.config["mounts"].append({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"})
    for path in (host.directory, bundle.directory, bundle.rootfs):
        path.chmod(0o755)
    report = run(host, bundle)
    assert "oom_score_adj=321" in report
    assert "stat:/dev/mqueue=d 1777 0:0" in report
    hours = {key: int(value) for key, value in (line.split("=") for line in report.splitlines() if "clock." in line)}
    assert hours["clock.monotonic_hours"] >= 100 and hours["clock.boottime_hours"] >= 200


@pytest.mark.parametrize("scheduler, shown", [
    ({"policy": "SCHED_OTHER", "nice": 7}, "policy 0 flags 0 nice 7 priority 0"),
    ({"policy": "SCHED_BATCH", "nice": 5}, "policy 3 flags 0 nice 5 priority 0"),
    ({"policy": "SCHED_IDLE"}, "policy 5 flags 0 nice 0 priority 0"),
    ({"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, "policy 3 flags 1 nice 0 priority 0"),
    ({"policy": "SCHED_FIFO", "priority": 3}, "policy 1 flags 0 nice 0 priority 3"),
    ({"policy": "SCHED_RR", "priority": 9, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
     "policy 2 flags 1 nice 0 priority 9"),
    ({"policy": "SCHED_DEADLINE", "runtime": 10**7, "deadline": 3 * 10**7, "period": 3 * 10**7,
      "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"]}, "policy 6"),
])
def test_every_scheduler(host, scheduler, shown):
    bundle = host.bundle("sched")
    bundle.config["process"]["scheduler"] = scheduler
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    if done.returncode != 0 and scheduler["policy"] in ("SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE"):
        assert f"set the scheduler to {scheduler['policy']}" in done.stderr
        pytest.skip(f"the kernel gives no {scheduler['policy']} here: {done.stderr.splitlines()[0]}")
    assert shown in done.stdout, done.stderr


@pytest.mark.parametrize("policy, shown", [
    ({"mode": "MPOL_DEFAULT"}, "0 nodes 0"), ({"mode": "MPOL_BIND", "nodes": "0"}, "0x2 nodes 0x1"),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "0x8003 nodes 0x1"),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "0x1 nodes 0x1"), ({"mode": "MPOL_LOCAL"}, "0x4 nodes 0"),
])
def test_memory_policies(host, policy, shown):
    bundle = host.bundle("mempolicy")
    bundle.config["linux"]["memoryPolicy"] = policy
    assert f"mempolicy={shown}" in run(host, bundle)


@pytest.mark.parametrize("policy", [{"mode": "MPOL_BIND", "nodes": "63"}, {"mode": "MPOL_BIND"},
                                    {"mode": "MPOL_DEFAULT", "nodes": "0"}])
def test_a_memory_policy_that_the_kernel_refuses_is_named(host, policy):
    bundle = host.bundle("exit", "0")
    bundle.config["linux"]["memoryPolicy"] = policy
    bundle.save()
    assert "memory policy" in host.refused("run", "-b", bundle.directory, host.new_id())


# What a host lacks

@pytest.mark.parametrize("part, name, value", [
    ("process", "apparmorProfile", "some-profile"), ("process", "selinuxLabel", "system_u:system_r:x:s0"),
    ("linux", "mountLabel", "system_u:object_r:x:s0")])
def test_what_the_host_lacks_is_refused_by_name(host, part, name, value):
    present = {"apparmorProfile": "/sys/kernel/security/apparmor"}
    if os.path.exists(present.get(name, "/sys/fs/selinux/enforce")):
        pytest.skip(f"this host has what {name} needs")
    bundle = host.bundle("exit", "0")
    bundle.config[part][name] = value
    bundle.save()
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert f"{part}.{name}" in message and "host" in message


# Annotations

@pytest.mark.parametrize("name, value, words", [
    ("run.oci.handler", "krun", ["krun", "not built"]), ("run.oci.handler", "wasm", ["wasm", "not built"]),
    ("run.oci.handler", "other", ["there is no handler"]),
    ("run.oci.seccomp_bpf_data", "AAAA", ["linux.seccomp"]),
    ("run.oci.delegate-cgroup", "sub", ["cgroup"]),
    ("run.oci.mount_context_type", "nonsense", ["fscontext"]),
    ("run.oci.systemd.force_cgroup_v1", "relative", ["absolute"]),
    ("run.oci.timens_offset", "monotonic soon", ["SECONDS"])])
def test_annotations_that_cannot_be_honoured_are_refused(host, name, value, words):
    bundle = host.bundle("exit", "0")
    bundle.config["annotations"] = {name: value}
    bundle.save()
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert name in message and all(word in message for word in words), message


def test_unknown_calls_are_an_error_where_an_annotation_says_so(host):
    bundle = host.bundle("exit", "0")
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]}
    run(host, bundle)
    bundle.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "1"}
    bundle.save()
    assert "no_such_call" in host.refused("run", "-b", bundle.directory, host.new_id())


def test_the_offset_of_an_annotation_and_unknown_annotations(host):
    bundle = host.bundle("clocks")
    bundle.config["linux"]["namespaces"].append({"type": "time"})
    bundle.config["annotations"] = {"run.oci.timens_offset": "monotonic 3600000 0",
                                    "run.oci.of_the_future": "x", "org.example": ""}
    report = run(host, bundle)
    assert int(report.split("clock.monotonic_hours=")[1].split()[0]) >= 1000


def test_groups_are_kept_where_an_annotation_says_so(host):
    bundle = host.bundle("ids")
    bundle.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    report = run(host, bundle, preexec_fn=lambda: os.setgroups([5, 1234]))
    assert "groups=5 1234" in report
    del bundle.config["annotations"]
    assert "groups=\n" in run(host, bundle, preexec_fn=lambda: os.setgroups([5, 1234]))


# Hooks

def test_the_six_points_in_their_order_with_state_args_and_environment(host):
    bundle = host.bundle("exit", "0")
    log = host.directory / "log"
    script = 'read -r state; echo "$0 $1 $WORD $(env | grep -c .) $state" >> ' + str(log)
    busybox_free = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    for point in busybox_free:
        for number in ("first", "second"):
            bundle.config.setdefault("hooks", {}).setdefault(point, []).append(
                {"path": "/bin/sh", "args": ["sh", "-c", script, point, number], "env": [f"WORD={number}"]})
    run(host, bundle)
    lines = log.read_text().splitlines()
    assert [line.split()[:3] for line in lines] == [
        [point, number, number] for point in busybox_free for number in ("first", "second")]
    statuses = [json.loads(line.split(" ", 4)[4])["status"] for line in lines]
    assert statuses == ["created"] * 2 + ["creating"] * 4 + ["running"] * 2 + ["stopped"] * 2


@pytest.mark.parametrize("point", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"])
def test_a_hook_that_runs_too_long_is_killed_and_named(host, point):
    bundle = host.bundle("wait-signal")
    bundle.use_shell("sleep 60")
    bundle.hook(point, "/busybox" if point == "startContainer" else "/bin/sleep",
                *(["sleep", "60"] if point == "startContainer" else ["60"]), timeout=1)
    bundle.save()
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert point in message and "longer than 1 s" in message
    host.assert_clean()
