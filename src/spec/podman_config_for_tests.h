#pragma once
// A config.json as podman writes it, made by code: default mounts, capabilities, masked paths and
// a long seccomp profile. For tests, benchmarks and fuzzing; not part of the programs.

#include <array>
#include <string>

#include <fmt/format.h>

#include "spec/json_writer.h"

namespace knarr::spec::testing {

inline void write_rule(JsonWriter& json, std::size_t number) {
    json.begin_object();
    json.member("names", std::vector<std::string>{fmt::format("system_call_{}", number)});
    json.member("action", number % 7 == 0 ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
    if (number % 7 == 0) {
        json.member("errnoRet", 1);
    }
    if (number % 10 == 0) {
        json.key("args").begin_array().begin_object();
        json.member("index", number % 6).member("value", number * 1000);
        json.member("op", "SCMP_CMP_MASKED_EQ").member("valueTwo", number);
        json.end_object().end_array();
    }
    json.end_object();
}

inline void write_seccomp(JsonWriter& json, std::size_t calls) {
    json.begin_object();
    json.member("defaultAction", "SCMP_ACT_ERRNO").member("defaultErrnoRet", 38);
    json.member("architectures",
                std::vector<std::string>{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"});
    json.key("syscalls").begin_array();
    for (std::size_t i = 0; i < calls; ++i) {
        write_rule(json, i);
    }
    json.end_array().end_object();
}

inline void write_process(JsonWriter& json) {
    const std::vector<std::string> caps{"CAP_CHOWN",
                                        "CAP_DAC_OVERRIDE",
                                        "CAP_FOWNER",
                                        "CAP_FSETID",
                                        "CAP_KILL",
                                        "CAP_NET_BIND_SERVICE",
                                        "CAP_SETFCAP",
                                        "CAP_SETGID",
                                        "CAP_SETPCAP",
                                        "CAP_SETUID",
                                        "CAP_SYS_CHROOT"};
    json.begin_object();
    json.member("terminal", true);
    json.key("user").begin_object().member("uid", 0).member("gid", 0).member("umask", 18);
    json.member("additionalGids", std::vector<int>{0, 1, 2, 3, 4, 6, 10}).end_object();
    json.member("args", std::vector<std::string>{"sh", "-c", "echo \"hi\" \\ there\n"});
    json.member("env",
                std::vector<std::string>{
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "TERM=xterm",
                    "container=podman",
                    "HOME=/root",
                    "HOSTNAME=3f2a"});
    json.member("cwd", "/");
    json.key("capabilities").begin_object();
    json.member("bounding", caps).member("effective", caps).member("permitted", caps);
    json.end_object();
    json.key("rlimits").begin_array();
    for (const char* type : {"RLIMIT_NOFILE", "RLIMIT_NPROC"}) {
        json.begin_object().member("type", type).member("hard", 1048576).member("soft", 1048576);
        json.end_object();
    }
    json.end_array();
    json.member("oomScoreAdj", 0);
    json.end_object();
}

inline void write_mounts(JsonWriter& json) {
    struct Row {
        const char *destination, *type, *source;
        std::vector<std::string> options;
    };
    const std::array rows{
        Row{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
        Row{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
        Row{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
        Row{"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "gid=5"}},
        Row{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
        Row{"/etc/resolv.conf", "bind", "/run/containers/x/resolv.conf", {"bind", "rprivate"}},
        Row{"/etc/hosts", "bind", "/run/containers/x/hosts", {"bind", "rprivate"}},
        Row{"/dev/shm", "bind", "/var/lib/containers/x/shm", {"bind", "rprivate", "nosuid"}},
        Row{"/sys/fs/cgroup", "cgroup", "cgroup", {"rprivate", "nosuid", "noexec", "ro"}},
    };
    json.begin_array();
    for (const Row& row : rows) {
        json.begin_object().member("destination", row.destination).member("type", row.type);
        json.member("source", row.source).member("options", row.options).end_object();
    }
    json.end_array();
}

inline void write_linux(JsonWriter& json, std::size_t seccomp_calls) {
    json.begin_object();
    json.key("sysctl").begin_object().member("net.ipv4.ping_group_range", "0 0").end_object();
    json.key("resources").begin_object();
    json.key("devices").begin_array().begin_object().member("allow", false);
    json.member("access", "rwm").end_object().end_array();
    json.key("memory").begin_object().member("limit", 268435456).member("swap", 536870912);
    json.end_object();
    json.key("cpu").begin_object().member("quota", 50000).member("period", 100000).end_object();
    json.key("pids").begin_object().member("limit", 2048).end_object();
    json.end_object();
    json.member("cgroupsPath", "machine.slice:libpod:3f2a");
    json.key("namespaces").begin_array();
    for (const char* type : {"pid", "ipc", "uts", "mount", "cgroup"}) {
        json.begin_object().member("type", type).end_object();
    }
    json.begin_object().member("type", "network").member("path", "/run/netns/x").end_object();
    json.end_array();
    json.key("seccomp");
    write_seccomp(json, seccomp_calls);
    json.member(
        "maskedPaths",
        std::vector<std::string>{"/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"});
    json.member("readonlyPaths", std::vector<std::string>{"/proc/bus", "/proc/fs", "/proc/sys"});
    json.end_object();
}

inline std::string podman_config(std::size_t seccomp_calls, JsonLayout layout) {
    JsonWriter json(layout);
    json.begin_object();
    json.member("ociVersion", "1.0.2-dev");
    json.key("process");
    write_process(json);
    json.key("root").begin_object().member("path", "/var/lib/containers/merged").end_object();
    json.member("hostname", "3f2a");
    json.key("mounts");
    write_mounts(json);
    json.key("annotations").begin_object();
    json.member("io.container.manager", "libpod").member("org.systemd.property.X", "1");
    json.end_object();
    json.key("linux");
    write_linux(json, seccomp_calls);
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::spec::testing
