#include "runtime/launch/plan_describe.h"

#include <array>

#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace knarr::runtime {

namespace {

// In the order of Operation's alternatives.
constexpr std::array<const char*, std::variant_size_v<Operation>> kKinds = {
    "propagate",
    "mount_root",
    "mount",
    "bind",
    "remount",
    "device",
    "symlink",
    "mask",
    "readonly_path",
    "readonly_root",
    "propagate_root",
    "await_net_devices",
    "await_runtime_hooks",
    "create_container_hooks",
    "await_cgroup",
    "pivot_root",
    "hostname",
    "domainname",
    "sysctl",
    "proc_self",
    "loopback_up",
    "session_keyring",
    "rlimits",
    "personality",
    "scheduler",
    "io_priority",
    "memory_policy",
    "console",
    "time_offsets",
};

struct Bit {
    std::uint64_t bit;
    const char* name;
};

constexpr std::array kMountFlags = {Bit{MS_RDONLY, "ro"},
                                    Bit{MS_NOSUID, "nosuid"},
                                    Bit{MS_NODEV, "nodev"},
                                    Bit{MS_NOEXEC, "noexec"},
                                    Bit{MS_SYNCHRONOUS, "sync"},
                                    Bit{MS_MANDLOCK, "mand"},
                                    Bit{MS_DIRSYNC, "dirsync"},
                                    Bit{256, "nosymfollow"},
                                    Bit{MS_NOATIME, "noatime"},
                                    Bit{MS_NODIRATIME, "nodiratime"},
                                    Bit{MS_SILENT, "silent"},
                                    Bit{MS_POSIXACL, "acl"},
                                    Bit{MS_UNBINDABLE, "unbindable"},
                                    Bit{MS_PRIVATE, "private"},
                                    Bit{MS_SLAVE, "slave"},
                                    Bit{MS_SHARED, "shared"},
                                    Bit{MS_RELATIME, "relatime"},
                                    Bit{MS_I_VERSION, "iversion"},
                                    Bit{MS_STRICTATIME, "strictatime"},
                                    Bit{1U << 25U, "lazytime"},
                                    Bit{MS_REC, "recursive"}};

constexpr std::array kAttributes = {Bit{MOUNT_ATTR_RDONLY, "ro"},
                                    Bit{MOUNT_ATTR_NOSUID, "nosuid"},
                                    Bit{MOUNT_ATTR_NODEV, "nodev"},
                                    Bit{MOUNT_ATTR_NOEXEC, "noexec"},
                                    Bit{MOUNT_ATTR_NOATIME, "noatime"},
                                    Bit{MOUNT_ATTR_STRICTATIME, "strictatime"},
                                    Bit{MOUNT_ATTR_NODIRATIME, "nodiratime"},
                                    Bit{MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}};

constexpr std::array kNamespaceFlags = {Bit{CLONE_NEWUSER, "user"},
                                        Bit{CLONE_NEWPID, "pid"},
                                        Bit{CLONE_NEWNET, "network"},
                                        Bit{CLONE_NEWNS, "mount"},
                                        Bit{CLONE_NEWIPC, "ipc"},
                                        Bit{CLONE_NEWUTS, "uts"},
                                        Bit{CLONE_NEWCGROUP, "cgroup"},
                                        Bit{CLONE_NEWTIME, "time"}};

template <std::size_t N>
std::string names_of(std::uint64_t bits, const std::array<Bit, N>& table) {
    std::string out;
    for (const Bit& one : table) {
        if ((bits & one.bit) != 0) {
            out += (out.empty() ? "" : ",") + std::string(one.name);
            bits &= ~one.bit;
        }
    }
    if (bits != 0) {
        out += fmt::format("{}0x{:x}", out.empty() ? "" : ",", bits);
    }
    return out;
}

std::string mount_flags(unsigned long flags) {
    return names_of(flags, kMountFlags);
}

std::string attributes(std::uint64_t bits) {
    std::uint64_t known = 0;
    for (const Bit& one : kAttributes) {
        known |= one.bit;
    }
    // Access times are one field of several bits; clearing all of it goes before any value.
    if ((bits & MOUNT_ATTR__ATIME) == MOUNT_ATTR__ATIME) {
        const std::string rest =
            names_of(bits & known & ~std::uint64_t{MOUNT_ATTR__ATIME}, kAttributes);
        return rest.empty() ? "atime" : rest + ",atime";
    }
    return names_of(bits & known, kAttributes);
}

std::string node_type(mode_t type) {
    return type == S_IFBLK ? "b" : type == S_IFIFO ? "p" : "c";
}

// describe(step, fields): the kind of the step is its return value.
void describe(const step::Propagate& s, Fields& f) {
    f.text("flags", mount_flags(s.flags));
}
void describe(const step::MountRoot& s, Fields& f) {
    if (const auto* dir = std::get_if<bundle::DirRoot>(&s.rootfs)) {
        f.text("path", dir->path);
    } else if (const auto* overlay = std::get_if<bundle::OverlayRoot>(&s.rootfs)) {
        std::string lowers;
        for (const std::string& lower : overlay->lowers) {
            lowers += (lowers.empty() ? "" : ":") + lower;
        }
        f.text("lowers", lowers);
        f.maybe("upper", overlay->upper);
        f.maybe("work", overlay->work);
        f.text("merged", overlay->merged);
    }
}
void describe(const step::MountFs& s, Fields& f) {
    f.text("fstype", s.fstype);
    f.text("source", s.source);
    f.text("target", s.target);
    f.maybe("flags", mount_flags(s.flags));
    f.maybe("data", s.data);
    f.maybe("propagation", mount_flags(s.propagation));
    f.flag("copy_up", s.copy_up);
}
void describe(const step::Bind& s, Fields& f) {
    f.text("source", s.source);
    f.text("target", s.target);
    f.flag("recursive", s.recursive);
    f.maybe("set", attributes(s.set));
    f.maybe("clear", attributes(s.clear));
    f.maybe("recursive_set", attributes(s.rec_set));
    f.maybe("recursive_clear", attributes(s.rec_clear));
    f.maybe("propagation", mount_flags(s.propagation));
    f.maybe("uid_mappings", mapping_text(s.uid_mappings));
    f.maybe("gid_mappings", mapping_text(s.gid_mappings));
    f.flag("idmap_recursive", s.idmap_recursive);
}
void describe(const step::Remount& s, Fields& f) {
    f.text("target", s.target);
    f.maybe("flags", mount_flags(s.flags));
    f.maybe("data", s.data);
    f.flag("bind", s.bind);
}
void describe(const step::MakeDevice& s, Fields& f) {
    f.text("path", s.path);
    f.text("device", fmt::format("{} {}:{}", node_type(s.type), s.major, s.minor));
    f.text("mode", fmt::format("{:04o}", s.mode));
    f.text("owner", fmt::format("{}:{}", s.uid, s.gid));
    f.flag("bind", s.bind);
}
void describe(const step::MakeSymlink& s, Fields& f) {
    f.text("path", s.path);
    f.text("target", s.target);
}
void describe(const step::MaskPath& s, Fields& f) {
    f.text("path", s.path);
}
void describe(const step::ReadonlyPath& s, Fields& f) {
    f.text("path", s.path);
}
void describe(const step::ReadonlyRoot& /*s*/, Fields& /*f*/) {}
void describe(const step::PropagateRoot& s, Fields& f) {
    f.text("flags", mount_flags(s.flags));
}
void describe(const step::AwaitNetDevices& /*s*/, Fields& /*f*/) {}
void describe(const step::AwaitRuntimeHooks& /*s*/, Fields& /*f*/) {}
void describe(const step::CreateContainerHooks& /*s*/, Fields& /*f*/) {}
void describe(const step::AwaitCgroup& s, Fields& f) {
    f.flag("unshare_namespace", s.unshare_namespace);
}
void describe(const step::PivotRoot& s, Fields& f) {
    using Way = step::PivotRoot::Way;
    f.text("way", s.way == Way::pivot ? "pivot" : s.way == Way::move ? "move" : "chroot");
}
void describe(const step::SetHostname& s, Fields& f) {
    f.text("name", s.name);
}
void describe(const step::SetDomainname& s, Fields& f) {
    f.text("name", s.name);
}
void describe(const step::Sysctl& s, Fields& f) {
    f.text("path", s.path);
    f.text("value", s.value);
}
void describe(const step::ProcSelf& s, Fields& f) {
    f.text("file", s.file);
    f.text("text", s.text);
}
void describe(const step::LoopbackUp& /*s*/, Fields& /*f*/) {}
void describe(const step::SessionKeyring& s, Fields& f) {
    f.text("name", s.name);
}
void describe(const step::Rlimits& s, Fields& f) {
    std::string all;
    for (const step::Rlimits::One& one : s.all) {
        all += fmt::format("{}{}:{}:{}", all.empty() ? "" : ",", one.resource, one.soft, one.hard);
    }
    f.text("limits", all);
}
void describe(const step::Personality& s, Fields& f) {
    f.number("persona", static_cast<std::int64_t>(s.persona));
}
void describe(const step::SchedulerPolicy& s, Fields& f) {
    f.number("policy", s.policy);
    f.number("flags", static_cast<std::int64_t>(s.flags));
    f.number("nice", s.nice);
    f.number("priority", s.priority);
    f.number("runtime", static_cast<std::int64_t>(s.runtime));
    f.number("deadline", static_cast<std::int64_t>(s.deadline));
    f.number("period", static_cast<std::int64_t>(s.period));
}
void describe(const step::IoPriority& s, Fields& f) {
    f.number("value", s.value);
}
void describe(const step::MemoryPolicy& s, Fields& f) {
    f.number("mode", s.mode);
    std::string mask;
    for (const std::uint64_t word : s.node_mask) {
        mask += fmt::format("{}0x{:x}", mask.empty() ? "" : ",", word);
    }
    f.maybe("nodes", mask);
}
void describe(const step::Console& s, Fields& f) {
    if (s.size) {
        f.text("size", fmt::format("{}x{}", s.size->width, s.size->height));
    }
    f.flag("on_dev_console", s.on_dev_console);
    f.number("owner", s.owner);
}
void describe(const step::TimeOffsets& s, Fields& f) {
    f.maybe("offsets", s.text);
}

}  // namespace

std::string mapping_text(const std::vector<spec::IdMapping>& maps) {
    std::string out;
    for (const spec::IdMapping& one : maps) {
        out += fmt::format(
            "{}{}:{}:{}", out.empty() ? "" : ",", one.container_id, one.host_id, one.size);
    }
    return out;
}

const char* kind_of(const Operation& operation) {
    return kKinds[operation.index()];
}

void describe_step(const Operation& operation, Fields& fields) {
    std::visit([&](const auto& one) { describe(one, fields); }, operation);
}

std::string namespace_names(int flags) {
    return names_of(static_cast<unsigned>(flags), kNamespaceFlags);
}

}  // namespace knarr::runtime
