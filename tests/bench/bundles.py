"""The OCI bundles that tools/bench runs: a static `true`, six namespaces, seven mounts."""

import json
import pathlib
import re
import shutil

CAPS = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]

MOUNTS = [
    ("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
    ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", "devpts",
     ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
]

# Not in an allow list: what podman's profile refuses too, roughly.
REFUSED = {"acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "delete_module",
           "finit_module", "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load",
           "keyctl", "lookup_dcookie", "mount", "move_pages", "open_by_handle_at",
           "perf_event_open", "pivot_root", "quotactl", "reboot", "request_key", "setns",
           "settimeofday", "stime", "swapoff", "swapon", "umount", "umount2", "unshare",
           "userfaultfd", "vm86", "vm86old", "personality", "clone", "socket"}


def system_calls(count):
    """Names that the kernel headers of this machine know, 64-bit ones first."""
    names = []
    for header in ("unistd_64.h", "unistd_32.h"):
        for folder in ("/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm"):
            path = pathlib.Path(folder) / header
            if path.exists():
                names += re.findall(r"#define __NR_(\w+) \d+", path.read_text())
                break
    wanted = [name for name in dict.fromkeys(names) if name not in REFUSED]
    return wanted[:count]


def seccomp_profile():
    """As podman's in size and kind: three architectures, 400 calls, some with arguments."""
    equals = [{"names": ["personality"], "action": "SCMP_ACT_ALLOW",
               "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]}
              for value in (0, 8, 0x20000, 0x20008, 0xffffffff)]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            {"names": system_calls(400), "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
            *equals,
        ],
    }


def make(folder, true_program, *, seccomp, limits):
    """Makes the bundle `folder` that runs `true_program`."""
    rootfs = folder / "rootfs"
    rootfs.mkdir(parents=True)
    shutil.copy(true_program, rootfs / "true")
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "args": ["/true"], "env": ["PATH=/"], "cwd": "/",
            "capabilities": {name: CAPS for name in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "bench",
        "mounts": [{"destination": where, "type": kind, "source": source, "options": options}
                   for where, kind, source, options in MOUNTS],
        "linux": {
            "namespaces": [{"type": name}
                           for name in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list",
                            "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
        },
    }
    if seccomp:
        config["linux"]["seccomp"] = seccomp_profile()
    if limits:
        config["linux"]["resources"] = {
            "memory": {"limit": 256 << 20}, "pids": {"limit": 100},
            "cpu": {"shares": 512, "quota": 50000, "period": 100000}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
