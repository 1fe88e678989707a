#include "runtime/native/namespaces.h"

#include <algorithm>
#include <array>

#include <linux/sched.h>

#include "core/text.h"
#include "runtime/native/annotations.h"
#include "runtime/native/feature_names.h"
#include "runtime/native/id_maps.h"

namespace knarr::runtime::native {

namespace {

struct Row {
    spec::NamespaceType type;
    const char* name;
    int flag;
    int major, minor;  // the first kernel that has it; 3.8 and older are not told apart
};
constexpr std::array kRows = {
    Row{spec::NamespaceType::pid, "pid", CLONE_NEWPID, 0, 0},
    Row{spec::NamespaceType::network, "network", CLONE_NEWNET, 0, 0},
    Row{spec::NamespaceType::mount, "mount", CLONE_NEWNS, 0, 0},
    Row{spec::NamespaceType::ipc, "ipc", CLONE_NEWIPC, 0, 0},
    Row{spec::NamespaceType::uts, "uts", CLONE_NEWUTS, 0, 0},
    Row{spec::NamespaceType::user, "user", CLONE_NEWUSER, 0, 0},
    Row{spec::NamespaceType::cgroup, "cgroup", CLONE_NEWCGROUP, 4, 6},
    Row{spec::NamespaceType::time, "time", CLONE_NEWTIME, 5, 6},
};

const Row& row_of(spec::NamespaceType type) {
    return *std::ranges::find(kRows, type, &Row::type);
}

Result<> plan_users(const spec::Linux& config, const sys::HostFacts& host, Namespaces& out) {
    const bool any = !config.uid_mappings.empty() || !config.gid_mappings.empty();
    if (out.is_new(CLONE_NEWUSER)) {
        out.id_maps = KNARR_TRY(plan_id_maps(config, host));
    } else if (any && !out.is_joined(CLONE_NEWUSER)) {
        return fail(Errc::invalid_config,
                    "linux.uidMappings, linux.gidMappings: given without a user namespace; add "
                    "{{\"type\": \"user\"}} to linux.namespaces");
    }
    return {};  // a joined one has its maps already; those of the configuration describe it
}

Result<> plan_time_offsets(const spec::Linux& config, Namespaces& out) {
    if (config.time_offsets.empty()) {
        return {};
    }
    if (!out.is_new(CLONE_NEWTIME)) {
        return fail(Errc::invalid_config,
                    "linux.timeOffsets: given without a new time namespace; add {{\"type\": "
                    "\"time\"}} to linux.namespaces");
    }
    for (const auto& [clock, offset] : config.time_offsets) {
        if (clock != "monotonic" && clock != "boottime") {
            return fail(Errc::invalid_config,
                        "linux.timeOffsets: \"{}\" is not monotonic or boottime",
                        printable(clock));
        }
        if (offset.nanosecs > 999'999'999) {
            return fail(Errc::invalid_config,
                        "linux.timeOffsets.{}.nanosecs: {} is not below 1000000000",
                        clock,
                        offset.nanosecs);
        }
        out.time_offsets += fmt::format("{} {} {}\n", clock, offset.secs, offset.nanosecs);
    }
    return {};
}

}  // namespace

bool Namespaces::is_joined(int type) const {
    return std::ranges::find(joins, type, &JoinNamespace::type) != joins.end();
}

int Namespaces::own() const {
    int all = created;
    for (const JoinNamespace& join : joins) {
        all |= join.type;
    }
    return all;
}

const char* name_of(spec::NamespaceType type) {
    return row_of(type).name;
}

Result<Namespaces> plan_namespaces(const spec::RuntimeConfig& config, const sys::HostFacts& host) {
    static const spec::Linux kNothing;
    const spec::Linux& linux_config = config.linux_ ? *config.linux_ : kNothing;
    Namespaces out;
    int seen = 0;
    for (std::size_t i = 0; i < linux_config.namespaces.size(); ++i) {
        const spec::Namespace& one = linux_config.namespaces[i];
        const Row& row = row_of(one.type);
        if ((seen & row.flag) != 0) {
            return fail(
                Errc::invalid_config, "linux.namespaces[{}]: {} is there twice", i, row.name);
        }
        seen |= row.flag;
        if (!host.kernel_at_least(row.major, row.minor)) {
            return fail(Errc::unsupported,
                        "linux.namespaces[{}]: {} namespaces need kernel {}.{}, this is {}",
                        i,
                        row.name,
                        row.major,
                        row.minor,
                        host.kernel_release);
        }
        if (one.path.empty()) {
            out.created |= row.flag;
        } else if (one.path.front() != '/') {
            return fail(Errc::invalid_config,
                        "linux.namespaces[{}].path: \"{}\" is not absolute",
                        i,
                        printable(one.path));
        } else {
            out.joins.push_back({.type = row.flag, .path = one.path});
        }
    }
    KNARR_TRY(plan_users(linux_config, host, out));
    KNARR_TRY(plan_time_offsets(linux_config, out));
    if (out.time_offsets.empty() && out.is_new(CLONE_NEWTIME)) {
        out.time_offsets = time_offset_line(config);
    }
    if (!out.is_own(CLONE_NEWUTS) && (!config.hostname.empty() || !config.domainname.empty())) {
        return fail(Errc::invalid_config,
                    "{}: given without a UTS namespace, so that it would change the host's; add "
                    "{{\"type\": \"uts\"}} to linux.namespaces",
                    config.hostname.empty() ? "domainname" : "hostname");
    }
    return out;
}

Result<std::vector<Step>> plan_sysctls(const spec::Linux& config, const Namespaces& namespaces) {
    // Source: Linux ipc/ipc_sysctl.c, ipc/mq_sysctl.c.
    static constexpr std::array<std::string_view, 8> kIpc = {"kernel.msgmax",
                                                             "kernel.msgmnb",
                                                             "kernel.msgmni",
                                                             "kernel.sem",
                                                             "kernel.shmall",
                                                             "kernel.shmmax",
                                                             "kernel.shmmni",
                                                             "kernel.shm_rmid_forced"};
    std::vector<Step> steps;
    for (const auto& [key, value] : config.sysctl) {
        // "net.ipv4.conf.eth0/1.forwarding": with the first separator a dot, a slash in a name
        // stands for a dot of the file's name. Source: sysctl(8).
        std::string dotted = key;
        std::string path = key;
        if (const std::size_t first = key.find_first_of("./");
            first != std::string::npos && key[first] == '.') {
            for (char& c : path) {
                c = c == '.' ? '/' : c == '/' ? '.' : c;
            }
        } else {
            for (char& c : dotted) {
                c = c == '.' ? '/' : c == '/' ? '.' : c;
            }
        }
        const auto parts = split(path, '/');
        if (std::ranges::any_of(parts, [](std::string_view part) {
                return part.empty() || part == "." || part == "..";
            })) {
            return fail(Errc::invalid_config,
                        "linux.sysctl: \"{}\" is not a sysctl's name",
                        printable(key));
        }
        int needs = 0;
        if (std::ranges::find(kIpc, dotted) != kIpc.end() || dotted.starts_with("fs.mqueue.")) {
            needs = CLONE_NEWIPC;
        } else if (dotted.starts_with("net.")) {
            needs = CLONE_NEWNET;
        } else if (dotted == "kernel.domainname" || dotted == "kernel.hostname") {
            needs = CLONE_NEWUTS;
        }
        if (needs == 0) {
            return fail(Errc::invalid_config,
                        "linux.sysctl: {} belongs to no namespace and would change the whole host",
                        printable(key));
        }
        if (!namespaces.is_own(needs)) {
            const Row& row = *std::ranges::find(kRows, needs, &Row::flag);
            return fail(Errc::invalid_config,
                        "linux.sysctl: {} needs a {} namespace of the container's own; add "
                        "{{\"type\": \"{}\"}} to linux.namespaces",
                        key,
                        row.name,
                        row.name);
        }
        if (dotted == "kernel.hostname") {
            return fail(Errc::invalid_config,
                        "linux.sysctl: kernel.hostname is set by the property hostname");
        }
        steps.push_back({.name = fmt::format("sysctl {}", printable(key)),
                         .operation = step::Sysctl{.path = path, .value = value}});
    }
    return steps;
}

std::vector<std::string_view> namespace_names() {
    std::vector<std::string_view> out;
    for (const Row& row : kRows) {
        out.emplace_back(row.name);
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace knarr::runtime::native
