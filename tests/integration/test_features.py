"""features: complete and true. What is listed can be planned, what can be planned is listed.
Source: runtime-spec features.md, features-linux.md."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import ROOT


@pytest.fixture
def features(host):
    return json.loads(host.ok("features").stdout)


@pytest.fixture
def plans(host):
    """Whether `knarr plan` takes a bundle that `change` has changed, and its text."""
    bundle = host.bundle("exit", "0")
    plain = json.dumps(bundle.config)

    def plan(change):
        bundle.config = json.loads(plain)
        change(bundle.config)
        bundle.save()
        done = host.knarr("plan", bundle.directory)
        return done.returncode == 0, done.stdout + done.stderr
    return plan


def mounted(option):
    """A mount with that option: of a kind that can have it."""
    def change(config):
        mount = {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": [option]}
        if option in ("bind", "rbind") or option.lstrip("r") in ("bind", "idmap"):
            mount = {"destination": "/tmp", "source": "/tmp", "options": ["bind", option]}
        elif option == "remount":
            mount["options"] = ["remount", "bind", "ro"]
        elif re.fullmatch("r(no|a|d|e|r|s|w)[a-z]+", option):
            mount = {"destination": "/tmp", "source": "/tmp", "options": ["rbind", option]}
        if "idmap" in option:
            mount["uidMappings"] = mount["gidMappings"] = [
                {"containerID": 0, "hostID": 1000, "size": 1}]
        config["mounts"].append(mount)
    return change


def test_its_members_are_those_of_the_specification(features):
    assert features["ociVersionMin"] == "1.0.0"
    assert features["ociVersionMax"] == "1.3.0"
    assert set(features) == {"ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux",
                             "annotations", "potentiallyUnsafeConfigAnnotations"}
    assert set(features["linux"]) == {
        "namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt",
        "memoryPolicy", "mountExtensions", "netDevices"}
    assert set(features["linux"]["cgroup"]) == {"v1", "v2", "systemd", "systemdUser", "rdma"}
    assert set(features["linux"]["seccomp"]) == {"enabled", "actions", "operators", "archs",
                                                 "knownFlags", "supportedFlags"}
    assert all(isinstance(value, str) for value in features["annotations"].values())


def test_every_mount_option_can_be_planned(features, plans):
    for option in features["mountOptions"]:
        taken, text = plans(mounted(option))
        assert taken, f"{option}: {text}"


def test_no_mount_option_that_is_a_flag_is_missing(features, plans):
    """Words that nobody knows go to the file system as its own options."""
    words = set(features["mountOptions"])
    candidates = {prefix + word for prefix in ("", "r", "no", "rno") for word in (
        "acl", "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "idmap",
        "iversion", "lazytime", "loud", "mand", "private", "relatime", "remount", "ro", "rw",
        "shared", "silent", "slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
        "unbindable")}
    for word in sorted(candidates - words):
        taken, text = plans(mounted(word))
        assert not taken or re.search(rf"[\" ,=]{word}\b", text), f"{word} is taken, but not listed"


def test_every_namespace_can_be_planned_and_no_other(features, plans):
    names = features["linux"]["namespaces"]
    assert set(names) == {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}
    for name in names:
        def change(config):
            linux = config["linux"]
            linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != name]
            linux["namespaces"].append({"type": name})
            if name == "user":
                linux["uidMappings"] = linux["gidMappings"] = [
                    {"containerID": 0, "hostID": 0, "size": 65536}]
        taken, text = plans(change)
        assert taken, f"{name}: {text}"
    assert not plans(lambda config: config["linux"]["namespaces"].append({"type": "net"}))[0]


def test_every_hook_can_be_planned(features, plans):
    for name in features["hooks"]:
        def change(config):
            config["hooks"] = {name: [{"path": "/bin/true"}]}
        taken, text = plans(change)
        assert taken and "/bin/true" in text, f"{name}: {text}"


def seccomp(**members):
    def change(config):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", **members}
    return change


def test_what_seccomp_lists_can_be_planned(features, plans):
    listed = features["linux"]["seccomp"]
    assert listed["enabled"] is True
    for action in {"SCMP_ACT_NOTIFY", *listed["actions"]}:
        taken, _ = plans(seccomp(syscalls=[{"names": ["mkdir"], "action": action}],
                                 listenerPath="/run/none"))
        assert taken == (action in listed["actions"]), action
    for operator in listed["operators"]:
        rule = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 0, "value": 1, "op": operator}]}
        assert plans(seccomp(syscalls=[rule]))[0], operator
    for arch in listed["archs"]:
        assert plans(seccomp(architectures=[arch]))[0], arch
    for flag in listed["supportedFlags"]:
        assert plans(seccomp(flags=[flag]))[0], flag
    assert set(listed["supportedFlags"]) <= set(listed["knownFlags"])
    assert "SECCOMP_FILTER_FLAG_LOG" in listed["supportedFlags"]
    assert not plans(seccomp(architectures=["SCMP_ARCH_S390X"]))[0]


def test_memory_policies_can_be_planned(features, plans):
    listed = features["linux"]["memoryPolicy"]
    for mode in listed["modes"]:
        def change(config):
            policy = {"mode": mode}
            if mode not in ("MPOL_DEFAULT", "MPOL_LOCAL"):
                policy["nodes"] = "0"
            config["linux"]["memoryPolicy"] = policy
        assert plans(change)[0], mode
    assert set(listed["flags"]) == {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
                                    "MPOL_F_STATIC_NODES"}


def test_network_devices_can_be_planned(features, plans):
    assert features["linux"]["netDevices"] == {"enabled": True}
    assert plans(lambda config: config["linux"].update({"netDevices": {"eth0": {}}}))[0]


def test_resctrl_is_known_and_refused_only_where_the_host_has_none(features, plans):
    assert features["linux"]["intelRdt"] == {"enabled": True, "schemata": True, "monitoring": True}
    taken, message = plans(lambda config: config["linux"].update(
        {"intelRdt": {"schemata": ["L3:0=f"]}}))
    mounted = " - resctrl " in pathlib.Path("/proc/self/mountinfo").read_text()
    assert taken or not mounted
    assert taken or ("linux.intelRdt: no resctrl file system is mounted" in message
                     and "mount -t resctrl" in message)


def test_every_annotation_that_the_source_acts_upon_is_listed(features):
    acted_upon = set()
    for file in (ROOT / "src").rglob("*.[ch]*"):
        if "_test" not in file.name:
            acted_upon |= set(re.findall(r'"((?:run\.oci|org\.criu|org\.systemd)\.[\w.-]+)"',
                                         file.read_text()))
    assert acted_upon, "the pattern finds nothing"
    listed = features["potentiallyUnsafeConfigAnnotations"]
    prefixes = tuple(name for name in listed if name.endswith("."))
    assert {name for name in acted_upon if not name.startswith(prefixes)} <= set(listed)


def test_it_has_all_that_runc_has(features):
    runc = shutil.which("runc", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not runc:
        pytest.skip("no runc (Debian package) on this machine")
    theirs = json.loads(subprocess.run([runc, "features"], check=True, capture_output=True).stdout)
    assert set(theirs["hooks"]) <= set(features["hooks"])
    assert set(theirs["mountOptions"]) <= set(features["mountOptions"])
    for name in ("namespaces", "capabilities"):
        assert set(theirs["linux"][name]) <= set(features["linux"][name])
    for name in ("actions", "operators"):
        missing = set(theirs["linux"]["seccomp"][name]) - set(features["linux"]["seccomp"][name])
        assert missing <= {"SCMP_ACT_NOTIFY"}  # whether that can be planned is tested above


def test_it_takes_no_arguments(host):
    assert "unexpected argument" in host.refused("features", "x")
    assert pathlib.Path(host.root).exists() is False
