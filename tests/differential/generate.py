"""Valid config.json files made from a seed: the same seed gives the same file on every machine."""

import random

CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
        "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
        "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE", "CAP_NET_ADMIN", "CAP_SYS_ADMIN",
        "CAP_SYS_PTRACE", "CAP_IPC_LOCK", "CAP_SYS_NICE", "CAP_LEASE", "CAP_BPF"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/data/secret",
          "/data/hidden", "/not/there"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
            "/data/fixed", "/data/secret"]
# What may stand in a tmpfs's or a bind's options, one of each list.
FLAGS = [["nosuid", "suid"], ["nodev", "dev"], ["noexec", "exec"], ["ro", "rw"],
         ["noatime", "strictatime", "relatime", "nodiratime"]]
RECURSIVE = ["rro", "rnosuid", "rnodev", "rnoexec", "rnoatime", "rnodiratime", "rrw", "rsuid",
             "rdev", "rexec", "rrelatime", "rstrictatime"]
PROPAGATIONS = ["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable"]
RLIMITS = [("RLIMIT_NOFILE", 256, 1024), ("RLIMIT_CORE", 0, 0),
           ("RLIMIT_STACK", 4 << 20, 8 << 20), ("RLIMIT_MEMLOCK", 32768, 65536),
           ("RLIMIT_FSIZE", 1 << 28, 1 << 30), ("RLIMIT_CPU", 600, 3600),
           ("RLIMIT_MSGQUEUE", 1000, 2000), ("RLIMIT_SIGPENDING", 100, 200),
           ("RLIMIT_RTPRIO", 0, 0)]
SYSCTLS = {"network": {"net.ipv4.ip_forward": ["0", "1"], "net.core.somaxconn": ["77", "4096"],
                       "net.ipv4.ip_unprivileged_port_start": ["0", "80"],
                       "net.ipv4.ping_group_range": ["0 100"]},
           "ipc": {"kernel.shmmax": ["65536", "1048576"], "kernel.msgmax": ["4096"],
                   "kernel.sem": ["100 3200 50 64"], "fs.mqueue.msg_max": ["20"]}}
DEVICES = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229},
           {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200},
           {"path": "/dev/sdx", "type": "b", "major": 8, "minor": 96},
           {"path": "/data/zero", "type": "c", "major": 1, "minor": 5},
           {"path": "/dev/pipe", "type": "p"}]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.words = []  # what the witness is asked besides `all`
        self.kinds = set()

    def maybe(self, chance):
        return self.random.random() < chance

    def some(self, items, chance=0.5):
        return [item for item in items if self.maybe(chance)]

    def ask(self, word, *paths):
        for path in paths:
            self.words += [word, path]

    def namespaces(self):
        self.kinds = {"mount", *self.some(("pid", "ipc", "uts", "network"), 0.85)}
        self.kinds |= {"cgroup"} if self.maybe(0.5) else set()
        self.kinds |= {"user"} if self.maybe(0.12) else set()
        self.kinds |= {"time"} if self.maybe(0.1) else set()
        kinds = sorted(self.kinds)
        self.random.shuffle(kinds)
        return [{"type": kind} for kind in kinds]

    def flags(self, chance=0.4):
        return [self.random.choice(pair) for pair in FLAGS if self.maybe(chance)]

    def tmpfs(self, place):
        options = self.flags() + self.some([f"mode={self.random.choice(['700', '755', '1777'])}",
                                            f"size={self.random.choice(['64k', '1m', '65536k'])}"])
        if self.maybe(0.15):
            options.append(self.random.choice(PROPAGATIONS))
        return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": options}

    def bind(self, place, source):
        options = [self.random.choice(["bind", "rbind"]), *self.flags(0.3)]
        if self.maybe(0.25) and "user" not in self.kinds:
            options.append(self.random.choice(RECURSIVE))
        if self.maybe(0.4):
            options.append(self.random.choice(PROPAGATIONS))
        return {"destination": place, "type": self.random.choice(["bind", "none"]),
                "source": source, "options": options}

    def mounts(self):
        mounts = [{"destination": "/proc", "type": "proc", "source": "proc",
                   "options": self.some(["nosuid", "noexec", "nodev"], 0.6)},
                  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                   "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}]
        if self.maybe(0.9):
            mounts.append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                           "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
                                       *([] if "user" in self.kinds else ["gid=5"])]})
        if self.maybe(0.8):
            mounts.append({"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
                           "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]})
        if self.maybe(0.6) and "ipc" in self.kinds:
            mounts.append({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
                           "options": ["nosuid", "noexec", "nodev"]})
        if self.maybe(0.8) and ("network" in self.kinds or "user" not in self.kinds):
            mounts.append({"destination": "/sys", "type": "sysfs", "source": "sysfs",
                           "options": ["nosuid", "noexec", "nodev", *self.some(["ro"], 0.7)]})
            if self.maybe(0.7):
                mounts.append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                               "options": ["nosuid", "noexec", "nodev", "relatime",
                                           *self.some(["ro"], 0.7)]})
        extra = []
        if self.maybe(0.4):
            extra.append(self.tmpfs(self.random.choice(["/tmp", "/run", "/made/by/runtime"])))
        if self.maybe(0.25):
            copied = self.tmpfs("/data")
            copied["options"] = [o for o in copied["options"] if o not in PROPAGATIONS and
                                 not o.startswith("size=") and o != "ro"] + ["tmpcopyup"]
            extra.append(copied)
        if self.maybe(0.5):
            extra.append(self.bind(self.random.choice(["/volume", "/made/volume", "/srv/link/volume"]),
                                   "@VOLUME@"))
        if self.maybe(0.3):
            extra.append(self.bind(self.random.choice(["/etc/hosts", "/etc/made"]), "@VOLUME@/file"))
        if self.maybe(0.1):
            extra.append({"destination": "/ram", "type": "ramfs", "source": "ramfs",
                          "options": self.flags(0.2)})
        self.random.shuffle(extra)
        return mounts + ([] if "user" in self.kinds else extra)

    def capabilities(self):
        bounding = self.some(CAPS, self.random.choice([0, 0.3, 0.7, 1]))
        permitted = self.some(bounding, 0.8)
        inheritable = self.some(bounding, 0.3) if self.maybe(0.3) else []
        return {"bounding": bounding, "permitted": permitted, "effective": self.some(permitted, 0.8),
                "inheritable": inheritable,
                "ambient": self.some([c for c in inheritable if c in permitted])}

    def process(self):
        user = {"uid": 0, "gid": 0}
        if self.maybe(0.4):
            user = {"uid": self.random.choice([1, 1000, 65534]), "gid": self.random.choice([0, 1, 1000])}
        if self.maybe(0.4):
            user["additionalGids"] = sorted(self.random.sample([0, 5, 10, 44, 1000, 2000], 3))
        if self.maybe(0.3):
            user["umask"] = self.random.choice([0o22, 0o77, 0o27, 0])
        process = {"terminal": False, "user": user, "cwd": self.random.choice(["/", "/tmp", "/data", "/srv/link"]),
                   "env": ["PATH=/bin:/", *self.some(["TERM=xterm", "EMPTY=", "A=b=c", "LANG=C.UTF-8",
                                                      "SPACE= x y ", "HOME=/data", "LINE=a\nb"], 0.3)],
                   "noNewPrivileges": self.maybe(0.6)}
        if self.maybe(0.9):
            process["capabilities"] = self.capabilities()
        if self.maybe(0.5):
            process["rlimits"] = [{"type": name, "soft": soft, "hard": hard}
                                  for name, soft, hard in self.some(RLIMITS, 0.3)]
        if self.maybe(0.3):
            process["oomScoreAdj"] = self.random.choice([0, 100, 500, 1000])
        return process

    def sysctl(self):
        chosen = {}
        if "user" not in self.kinds:
            for kind, known in SYSCTLS.items():
                if kind in self.kinds:
                    for name in self.some(sorted(known), 0.3):
                        chosen[name] = self.random.choice(known[name])
        self.ask("cat", *["/proc/sys/" + name.replace(".", "/") for name in chosen])
        return chosen

    def devices(self):
        if "user" in self.kinds:
            return []
        devices = [dict(device) for device in self.some(DEVICES, 0.25)]
        for device in devices:
            for name, values in (("fileMode", [0o666, 0o600, 0o640, 0]), ("uid", [0, 1000]), ("gid", [0, 44])):
                if self.maybe(0.6):
                    device[name] = self.random.choice(values)
        return devices

    def resources(self):
        resources = {}
        if self.maybe(0.8):
            resources["devices"] = [{"allow": False, "access": "rwm"}]
            if self.maybe(0.5):
                resources["devices"] += [{"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
                                         {"allow": True, "type": "b", "major": 8, "access": "r"}]
        if self.maybe(0.4):
            memory = {"limit": self.random.choice([32 << 20, 64 << 20, 1 << 30])}
            if self.maybe(0.4):
                memory["reservation"] = 16 << 20
            resources["memory"] = memory
        if self.maybe(0.4):
            resources["pids"] = {"limit": self.random.choice([64, 100, 4096])}
        if self.maybe(0.4):
            cpu = {"shares": self.random.choice([2, 512, 1024, 4096])}
            if self.maybe(0.5):
                cpu |= {"quota": 50000, "period": self.random.choice([100000, 50000])}
            if self.maybe(0.3):
                cpu |= {"cpus": "0", "mems": "0"}
            resources["cpu"] = cpu
        if self.maybe(0.2):
            resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 << 20}]
        if self.maybe(0.15):
            resources["network"] = {"classID": 1048577, "priorities": [{"name": "lo", "priority": 5}]}
        return resources

    def ask_limits(self, mounts):
        if any(mount["destination"] == "/sys/fs/cgroup" for mount in mounts):
            self.ask("list", "/sys/fs/cgroup")
            self.ask("cat", *(f"/sys/fs/cgroup/{name}" for name in (
                "memory/memory.limit_in_bytes", "memory/memory.soft_limit_in_bytes", "pids/pids.max",
                "cpu/cpu.shares", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us", "cpuset/cpuset.cpus",
                "cpuset/cpuset.mems", "devices/devices.list", "hugetlb/hugetlb.2MB.limit_in_bytes",
                "net_cls/net_cls.classid", "net_prio/net_prio.ifpriomap")))
            self.ask("can-write", "/sys/fs/cgroup/pids/pids.max")

    def seccomp(self):
        rule = {"names": self.random.sample(["mkdir", "mkdirat", "chown", "fchownat", "mknod", "mknodat",
                                             "sethostname", "no_such_call"], 4),
                "action": "SCMP_ACT_ERRNO"}
        if self.maybe(0.5):
            rule["errnoRet"] = self.random.choice([1, 28, 38])
        masked = {"names": ["personality"], "action": self.random.choice(["SCMP_ACT_ERRNO", "SCMP_ACT_LOG"]),
                  "args": [{"index": 0, "value": self.random.choice([8, 0xffffffff]),
                            "op": self.random.choice(["SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_GE"])}]}
        return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": self.some(
                    ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], 0.7),
                "syscalls": [rule, *([masked] if self.maybe(0.5) else [])]}

    def linux(self, mounts):
        linux = {"resources": self.resources(), "devices": self.devices(), "sysctl": self.sysctl()}
        if self.maybe(0.7):
            linux["maskedPaths"] = self.some(MASKED, 0.6)
            self.ask("can-read", *linux["maskedPaths"])
            self.ask("stat", "/data/secret", "/data/hidden")
        if self.maybe(0.7):
            linux["readonlyPaths"] = self.some(READONLY, 0.6)
            self.ask("can-write", "/data/fixed", "/data/secret")
        if self.maybe(0.4):
            linux["rootfsPropagation"] = self.random.choice(PROPAGATIONS)
        if self.maybe(0.8):
            linux["cgroupsPath"] = self.random.choice(["/@ID@", "/knarr-differential/@ID@"])
        if self.maybe(0.5):
            linux["seccomp"] = self.seccomp()
        if self.maybe(0.1):
            linux["personality"] = {"domain": self.random.choice(["LINUX", "LINUX32"])}
        if "user" in self.kinds:
            one = {"containerID": 0, "hostID": self.random.choice([0, 100000]), "size": 65536}
            linux |= {"uidMappings": [one], "gidMappings": [dict(one)]}
        if "time" in self.kinds:
            linux["timeOffsets"] = {"monotonic": {"secs": 360000}, "boottime": {"secs": 720000, "nanosecs": 5}}
        self.ask_limits(mounts)
        return {name: value for name, value in linux.items() if value}

    def config(self):
        namespaces = self.namespaces()
        mounts = self.mounts()
        config = {"ociVersion": self.random.choice(["1.0.0", "1.0.2", "1.0.2-dev"]),
                  "process": self.process(),
                  "root": {"path": "rootfs", "readonly": self.maybe(0.3)},
                  "mounts": mounts, "linux": {**self.linux(mounts), "namespaces": namespaces}}
        if "uts" in self.kinds and self.maybe(0.8):
            config["hostname"] = self.random.choice(["box", "a-host-name.example", "h" * 60])
        if "uts" in self.kinds and self.maybe(0.1):
            config["domainname"] = "example.org"
        if self.maybe(0.3):
            config["annotations"] = {"org.example.key": "value", "io.container.manager": "libpod"}
        self.ask("tree", "/dev", "/data")
        self.ask("can-write", "/", "/tmp", "/volume", "/etc/hosts")
        self.ask("mkdir", "/tmp/new")
        self.ask("chown", "/tmp/new")
        self.ask("can-write", "/dev/stdout", "/dev/stdin")
        self.ask("try", *(["sethostname"] if "uts" in self.kinds else []), "mount", "chroot",
                 "unshare-user", "setuid")
        config["process"]["args"] = ["/witness", "all", "status", "sched", "mempolicy", "clocks", *self.words]
        return config


def make_config(seed):
    return Generator(seed).config()
