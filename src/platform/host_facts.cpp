#include "platform/host_facts.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/text.h"
#include "core/words.h"
#include "platform/file.h"
#include "platform/mountinfo.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxSmallProcBytes = 256U << 10U;

/// One cgroup mount of /proc/self/mountinfo.
struct CgroupMount {
    std::string root;  // the directory of the hierarchy that is mounted
    std::string mount_point;
    std::string_view super_options;
    bool v2 = false;
};

std::vector<CgroupMount> cgroup_mounts(std::string_view mountinfo) {
    std::vector<CgroupMount> out;
    for (const std::string_view line : split(mountinfo, '\n')) {
        if (line.find(" - cgroup") == std::string_view::npos) {
            continue;  // of many lines few are looked at closely
        }
        auto mount = parse_mount_line(line);
        if (mount && (mount->fstype == "cgroup" || mount->fstype == "cgroup2")) {
            out.push_back({.root = std::move(mount->root),
                           .mount_point = std::move(mount->mount_point),
                           .super_options = mount->super_options,
                           .v2 = mount->fstype == "cgroup2"});
        }
    }
    return out;
}

/// The mount that shows a hierarchy: one through which our own cgroup can be reached if there is
/// one (others are bind mounts of single cgroups), else the first.
const CgroupMount* mount_of(const std::vector<CgroupMount>& mounts,
                            std::string_view controller,
                            std::string_view own) {
    const CgroupMount* best = nullptr;
    for (const CgroupMount& mount : mounts) {
        if (mount.v2 != controller.empty()) {
            continue;
        }
        const auto options = split(mount.super_options, ',');
        if (!mount.v2 && std::ranges::find(options, controller) == options.end()) {
            continue;
        }
        if (is_below(own, mount.root)) {
            return &mount;
        }
        if (best == nullptr) {
            best = &mount;
        }
    }
    return best;
}

std::string relative_to(std::string_view own, std::string_view root) {
    if (root != "/" && is_below(own, root)) {
        own.remove_prefix(root.size());
    }
    return own.empty() ? "/" : std::string(own);
}

CgroupLayout layout_of(const std::vector<CgroupHierarchy>& cgroups) {
    bool v1 = false;
    bool v2 = false;
    for (const CgroupHierarchy& one : cgroups) {
        // Named hierarchies limit nothing: beside a v2 that has the controllers they do not count.
        v1 |= !one.v2 && !one.controllers.front().starts_with("name=");
        v2 |= one.v2;
        if (one.v2 && one.mount_point == "/sys/fs/cgroup") {
            return CgroupLayout::v2;
        }
    }
    return v1 ? (v2 ? CgroupLayout::hybrid : CgroupLayout::v1)
              : (v2 ? CgroupLayout::v2 : (cgroups.empty() ? CgroupLayout::none : CgroupLayout::v1));
}

std::vector<std::string> owned(const std::vector<std::string_view>& parts) {
    return {parts.begin(), parts.end()};
}

Result<> probe_cgroups(const std::string& proc, const std::string& sys, HostFacts& facts) {
    Result<std::string> own = read_file(proc + "/self/cgroup", kMaxSmallProcBytes);
    if (!own) {
        if (own.error().sys_errno == ENOENT) {
            return {};  // a kernel without cgroups
        }
        return fail(std::move(own).error());
    }
    const std::string mountinfo =
        KNARR_TRY(read_file(proc + "/self/mountinfo", kMaxMountinfoBytes));
    facts.resctrl = find_resctrl(mountinfo);
    const std::vector<CgroupMount> mounts = cgroup_mounts(mountinfo);
    for (const std::string_view line : split(*own, '\n')) {
        // "4:memory:/a/b", "0::/a/b" for v2; a path may hold colons.
        const std::size_t first = line.find(':');
        const std::size_t second =
            first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) {
            continue;
        }
        const std::string_view names = line.substr(first + 1, second - first - 1);
        const std::string_view path = line.substr(second + 1);
        const CgroupMount* mount = mount_of(mounts, names.substr(0, names.find(',')), path);
        if (mount == nullptr) {
            continue;  // not mounted: nobody can use it
        }
        CgroupHierarchy one{.controllers = {},
                            .mount_point = mount->mount_point,
                            .own_path = relative_to(path, mount->root),
                            .v2 = mount->v2};
        if (!mount->v2) {
            one.controllers = owned(split(names, ','));
        } else {
            std::string at = mount->mount_point;
            if (at.starts_with("/sys/") && sys != "/sys") {
                at.replace(0, 4, sys);
            }
            const Result<std::string> list =
                read_file(at + "/cgroup.controllers", kMaxSmallProcBytes);
            if (list) {
                one.controllers = owned(words(std::string_view(*list).substr(0, list->find('\n'))));
            }
        }
        facts.cgroups.push_back(std::move(one));
    }
    facts.cgroup_layout = layout_of(facts.cgroups);
    return {};
}

std::uint64_t hex(std::string_view text) {
    std::uint64_t value = 0;
    for (const char c : text) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) {
            break;
        }
        value = value << 4U | static_cast<std::uint64_t>(digit);
    }
    return value;
}

Result<> probe_status(const std::string& proc, HostFacts& facts) {
    const std::string status = KNARR_TRY(read_file(proc + "/self/status", kMaxSmallProcBytes));
    int found = 0;
    for (const std::string_view line : split(status, '\n')) {
        const auto fields = words(line);
        if (fields.size() < 2) {
            continue;
        }
        if ((fields[0] == "Uid:" || fields[0] == "Gid:") && fields.size() >= 3) {
            // real, effective, saved, file system: what the kernel asks about is the effective one.
            const auto id = parse_number(fields[2], UINT32_MAX);
            (fields[0] == "Uid:" ? facts.uid : facts.gid) =
                static_cast<std::uint32_t>(id.value_or(65534));
            ++found;
        } else if (fields[0] == "CapEff:" || fields[0] == "CapBnd:") {
            (fields[0] == "CapEff:" ? facts.effective_caps : facts.bounding_caps) = hex(fields[1]);
            ++found;
        }
    }
    if (found != 4) {
        return fail(Errc::unsupported,
                    "{}/self/status lacks Uid, Gid, CapEff or CapBnd: is this a procfs?",
                    proc);
    }
    return {};
}

void probe_kernel(HostFacts& facts) {
    struct utsname names{};
    if (uname(&names) != 0) {
        return;
    }
    facts.kernel_release = names.release;
    facts.machine = names.machine;
    const auto number = [&](std::string_view text) {
        const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
        return static_cast<int>(parse_number(text.substr(0, end), 100'000).value_or(0));
    };
    const std::string_view release = facts.kernel_release;
    facts.kernel_major = number(release);
    const std::size_t dot = release.find('.');
    facts.kernel_minor = dot == std::string_view::npos ? 0 : number(release.substr(dot + 1));
}

std::vector<IdRange> parse_id_map(std::string_view text) {
    std::vector<IdRange> out;
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = words(line);
        if (fields.size() == 3) {
            const auto number = [&](std::size_t i) {
                return static_cast<std::uint32_t>(parse_number(fields[i], UINT32_MAX).value_or(0));
            };
            out.push_back({.inside = number(0), .outside = number(1), .size = number(2)});
        }
    }
    return out;
}

/// No such file: a kernel without user namespaces, so this is the initial one.
void probe_user_namespace(const std::string& proc, HostFacts& facts) {
    const Result<std::string> uids = read_file(proc + "/self/uid_map", kMaxSmallProcBytes);
    facts.initial_user_namespace =
        !uids || words(std::string_view(*uids).substr(0, uids->find('\n'))) ==
                     std::vector<std::string_view>{"0", "0", "4294967295"};
    if (!facts.initial_user_namespace) {
        facts.uid_map = parse_id_map(*uids);
        facts.gid_map =
            parse_id_map(read_file(proc + "/self/gid_map", kMaxSmallProcBytes).value_or(""));
    }
}

bool first_char_is(const std::string& path, char wanted) {
    const Result<std::string> text = read_file(path, kMaxSmallProcBytes);
    return text && text->starts_with(wanted);
}

void probe_lsm(const std::string& sys, HostFacts& facts) {
    const Result<std::string> list = read_file(sys + "/kernel/security/lsm", kMaxSmallProcBytes);
    if (list) {
        for (const std::string_view name :
             split(std::string_view(*list).substr(0, list->find('\n')), ',')) {
            facts.apparmor |= name == "apparmor";
            facts.selinux |= name == "selinux";
        }
        return;
    }
    // securityfs is not mounted everywhere.
    facts.apparmor = first_char_is(sys + "/module/apparmor/parameters/enabled", 'Y');
    facts.selinux = read_file(sys + "/fs/selinux/enforce", kMaxSmallProcBytes).has_value();
}

/// Making a cgroup and moving processes into it takes both.
bool is_delegated(const std::string& cgroup) {
    const std::string procs = cgroup + "/cgroup.procs";
    return faccessat(AT_FDCWD, cgroup.c_str(), W_OK, AT_EACCESS) == 0 &&
           faccessat(AT_FDCWD, procs.c_str(), W_OK, AT_EACCESS) == 0;
}

void probe_delegation(HostFacts& facts) {
    for (CgroupHierarchy& one : facts.cgroups) {
        const std::string own = one.mount_point + (one.own_path == "/" ? "" : one.own_path);
        one.own_delegated = is_delegated(own);
        if (one.v2 && one.own_path != "/") {
            // Never in a slice, whoever owns it: systemd keeps what is in there to itself, and
            // takes back controllers that others have enabled (systemd CGROUP_DELEGATION.md).
            const std::string above = own.substr(0, own.rfind('/'));
            one.parent_delegated = !above.ends_with(".slice") && is_delegated(above);
        }
    }
}

}  // namespace

const CgroupHierarchy* HostFacts::hierarchy_of(std::string_view controller) const {
    for (const CgroupHierarchy& one : cgroups) {
        if (cgroup_layout == CgroupLayout::v2 && !one.v2) {
            continue;
        }
        if (std::ranges::find(one.controllers, controller) != one.controllers.end()) {
            return &one;
        }
    }
    return nullptr;
}

OwnUser own_user() {
    HostFacts facts;
    probe_user_namespace("/proc", facts);
    OwnUser own{.uid = geteuid(),
                .in_user_namespace = !facts.initial_user_namespace,
                .outer_uid = geteuid()};
    for (const IdRange& one : facts.uid_map) {
        if (own.uid >= one.inside && own.uid - one.inside < one.size) {
            own.outer_uid = one.outside + (own.uid - one.inside);
        }
    }
    return own;
}

std::string probe_device_names() {
    return read_file("/proc/devices", kMaxSmallProcBytes).value_or("");
}

std::string host_name() {
    struct utsname names{};
    return uname(&names) == 0 ? names.nodename : std::string();
}

HostSize host_size() {
    const auto number = [](int name) {
        return static_cast<std::uint64_t>(std::max(sysconf(name), 0L));
    };
    return {.cpus = number(_SC_NPROCESSORS_ONLN),
            .memory_bytes = number(_SC_PHYS_PAGES) * number(_SC_PAGESIZE)};
}

Result<HostFacts> probe_host() {
    return probe_host_at("/proc", "/sys");
}

Result<HostFacts> probe_host_at(const std::string& proc, const std::string& sys) {
    HostFacts facts;
    probe_kernel(facts);
    KNARR_TRY(probe_status(proc, facts), "probe this host");
    KNARR_TRY(probe_cgroups(proc, sys, facts), "probe this host's cgroups");
    probe_lsm(sys, facts);
    const Result<std::string> last =
        read_file(proc + "/sys/kernel/cap_last_cap", kMaxSmallProcBytes);
    if (last) {
        const std::string_view text = std::string_view(*last).substr(0, last->find('\n'));
        facts.last_cap = static_cast<int>(parse_number(text, 63).value_or(40));
    }
    probe_user_namespace(proc, facts);
    if (facts.uid != 0 || !facts.initial_user_namespace) {
        probe_delegation(facts);
    }
    return facts;
}

}  // namespace knarr::sys
