// A launch plan for people, one line a step, and as JSON.

#include <array>
#include <type_traits>

#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "core/text.h"
#include "runtime/launch/plan.h"
#include "spec/json_writer.h"

namespace knarr::runtime {

namespace {

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
    // What is cleared may hold the rest of the access-time field, which has no name.
    return names_of(bits & known, kAttributes);
}

std::string mappings(const std::vector<spec::IdMapping>& maps) {
    std::string out;
    for (const spec::IdMapping& one : maps) {
        out += fmt::format(
            "{}{}:{}:{}", out.empty() ? "" : ",", one.container_id, one.host_id, one.size);
    }
    return out;
}

std::string node_type(mode_t type) {
    return type == S_IFBLK ? "b" : type == S_IFIFO ? "p" : "c";
}

/// Receives the fields of a step; the one list of what each step shows. Empty texts and false are
/// left out.
class Fields {
public:
    virtual ~Fields() = default;
    virtual void text(const char* name, const std::string& value) = 0;
    virtual void number(const char* name, std::int64_t value) = 0;
    void flag(const char* name, bool value) {
        if (value) {
            text(name, "true");
        }
    }
    void maybe(const char* name, const std::string& value) {
        if (!value.empty()) {
            text(name, value);
        }
    }
};

// describe(step, fields): the kind of the step is its return value.
const char* describe(const step::Propagate& s, Fields& f) {
    f.text("flags", mount_flags(s.flags));
    return "propagate";
}
const char* describe(const step::MountRoot& s, Fields& f) {
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
    return "mount_root";
}
const char* describe(const step::MountFs& s, Fields& f) {
    f.text("fstype", s.fstype);
    f.text("source", s.source);
    f.text("target", s.target);
    f.maybe("flags", mount_flags(s.flags));
    f.maybe("data", s.data);
    f.maybe("propagation", mount_flags(s.propagation));
    f.flag("copy_up", s.copy_up);
    return "mount";
}
const char* describe(const step::Bind& s, Fields& f) {
    f.text("source", s.source);
    f.text("target", s.target);
    f.flag("recursive", s.recursive);
    f.maybe("set", attributes(s.set));
    f.maybe("clear", attributes(s.clear));
    f.maybe("recursive_set", attributes(s.rec_set));
    f.maybe("recursive_clear", attributes(s.rec_clear));
    f.maybe("propagation", mount_flags(s.propagation));
    f.maybe("uid_mappings", mappings(s.uid_mappings));
    f.maybe("gid_mappings", mappings(s.gid_mappings));
    f.flag("idmap_recursive", s.idmap_recursive);
    return "bind";
}
const char* describe(const step::Remount& s, Fields& f) {
    f.text("target", s.target);
    f.maybe("flags", mount_flags(s.flags));
    f.maybe("data", s.data);
    f.flag("bind", s.bind);
    return "remount";
}
const char* describe(const step::MakeDevice& s, Fields& f) {
    f.text("path", s.path);
    f.text("device", fmt::format("{} {}:{}", node_type(s.type), s.major, s.minor));
    f.text("mode", fmt::format("{:04o}", s.mode));
    f.text("owner", fmt::format("{}:{}", s.uid, s.gid));
    f.flag("bind", s.bind);
    return "device";
}
const char* describe(const step::MakeSymlink& s, Fields& f) {
    f.text("path", s.path);
    f.text("target", s.target);
    return "symlink";
}
const char* describe(const step::MaskPath& s, Fields& f) {
    f.text("path", s.path);
    return "mask";
}
const char* describe(const step::ReadonlyPath& s, Fields& f) {
    f.text("path", s.path);
    return "readonly_path";
}
const char* describe(const step::ReadonlyRoot& /*s*/, Fields& /*f*/) {
    return "readonly_root";
}
const char* describe(const step::PropagateRoot& s, Fields& f) {
    f.text("flags", mount_flags(s.flags));
    return "propagate_root";
}
const char* describe(const step::AwaitRuntimeHooks& /*s*/, Fields& /*f*/) {
    return "await_runtime_hooks";
}
const char* describe(const step::CreateContainerHooks& /*s*/, Fields& /*f*/) {
    return "create_container_hooks";
}
const char* describe(const step::AwaitCgroup& s, Fields& f) {
    f.flag("unshare_namespace", s.unshare_namespace);
    return "await_cgroup";
}
const char* describe(const step::PivotRoot& s, Fields& f) {
    using Way = step::PivotRoot::Way;
    f.text("way", s.way == Way::pivot ? "pivot" : s.way == Way::move ? "move" : "chroot");
    return "pivot_root";
}
const char* describe(const step::SetHostname& s, Fields& f) {
    f.text("name", s.name);
    return "hostname";
}
const char* describe(const step::SetDomainname& s, Fields& f) {
    f.text("name", s.name);
    return "domainname";
}
const char* describe(const step::Sysctl& s, Fields& f) {
    f.text("path", s.path);
    f.text("value", s.value);
    return "sysctl";
}
const char* describe(const step::ProcSelf& s, Fields& f) {
    f.text("file", s.file);
    f.text("text", s.text);
    return "proc_self";
}
const char* describe(const step::LoopbackUp& /*s*/, Fields& /*f*/) {
    return "loopback_up";
}
const char* describe(const step::SessionKeyring& s, Fields& f) {
    f.text("name", s.name);
    return "session_keyring";
}
const char* describe(const step::Rlimits& s, Fields& f) {
    std::string all;
    for (const step::Rlimits::One& one : s.all) {
        all += fmt::format("{}{}:{}:{}", all.empty() ? "" : ",", one.resource, one.soft, one.hard);
    }
    f.text("limits", all);
    return "rlimits";
}
const char* describe(const step::Personality& s, Fields& f) {
    f.number("persona", static_cast<std::int64_t>(s.persona));
    return "personality";
}
const char* describe(const step::SchedulerPolicy& s, Fields& f) {
    f.number("policy", s.policy);
    f.number("flags", static_cast<std::int64_t>(s.flags));
    f.number("nice", s.nice);
    f.number("priority", s.priority);
    f.number("runtime", static_cast<std::int64_t>(s.runtime));
    f.number("deadline", static_cast<std::int64_t>(s.deadline));
    f.number("period", static_cast<std::int64_t>(s.period));
    return "scheduler";
}
const char* describe(const step::IoPriority& s, Fields& f) {
    f.number("value", s.value);
    return "io_priority";
}
const char* describe(const step::MemoryPolicy& s, Fields& f) {
    f.number("mode", s.mode);
    std::string mask;
    for (const std::uint64_t word : s.node_mask) {
        mask += fmt::format("{}0x{:x}", mask.empty() ? "" : ",", word);
    }
    f.maybe("nodes", mask);
    return "memory_policy";
}
const char* describe(const step::Console& s, Fields& f) {
    if (s.size) {
        f.text("size", fmt::format("{}x{}", s.size->width, s.size->height));
    }
    return "console";
}
const char* describe(const step::TimeOffsets& s, Fields& f) {
    f.maybe("offsets", s.text);
    return "time_offsets";
}

const char* describe_step(const Operation& operation, Fields& fields) {
    return std::visit([&](const auto& one) { return describe(one, fields); }, operation);
}

/// " key=value", quoted where a value holds blanks.
class TextFields final : public Fields {
public:
    void text(const char* name, const std::string& value) override {
        const bool plain = !value.empty() && value.find_first_of(" \"\n\t") == std::string::npos;
        out_ += plain ? fmt::format(" {}={}", name, printable(value, 4096))
                      : fmt::format(" {}=\"{}\"", name, printable(value, 4096));
    }
    void number(const char* name, std::int64_t value) override {
        out_ += fmt::format(" {}={}", name, value);
    }
    const std::string& out() const { return out_; }

private:
    std::string out_;
};

class JsonFields final : public Fields {
public:
    explicit JsonFields(spec::JsonWriter& json) : json_(json) {}
    void text(const char* name, const std::string& value) override { json_.member(name, value); }
    void number(const char* name, std::int64_t value) override { json_.member(name, value); }

private:
    spec::JsonWriter& json_;
};

/// The hooks by the names of config.json.
template <typename Visit>
void each_hook(const spec::Hooks& hooks, Visit visit) {
    visit("prestart", hooks.prestart);
    visit("createRuntime", hooks.create_runtime);
    visit("createContainer", hooks.create_container);
    visit("startContainer", hooks.start_container);
    visit("poststart", hooks.poststart);
    visit("poststop", hooks.poststop);
}

std::string mode_text(const sys::CgroupDeviceRule& rule) {
    const auto number = [](std::int64_t n) { return n < 0 ? "*" : fmt::format("{}", n); };
    return fmt::format("{} {} {}:{} {}",
                       rule.allow ? "allow" : "deny",
                       rule.type,
                       number(rule.major),
                       number(rule.minor),
                       rule.access);
}

void print_cgroup(const sys::CgroupPlan& cgroup, std::string& out) {
    for (const sys::CgroupDir& dir : cgroup.dirs) {
        out += fmt::format("cgroup {}{}\n", dir.mount_point, dir.path);
        for (const sys::CgroupWrite& write : dir.writes) {
            out += fmt::format("  {} = {}{}\n",
                               write.file,
                               printable(write.text, 4096),
                               write.optional ? " (where it can be)" : "");
        }
    }
    for (const sys::CgroupDeviceRule& rule : cgroup.device_rules) {
        out += fmt::format("  device rule: {}\n", mode_text(rule));
    }
}

void print_identity(const Identity& who, std::string& out) {
    out += fmt::format("user {}:{}", who.uid, who.gid);
    for (const gid_t group : who.groups) {
        out += fmt::format(",{}", group);
    }
    if (!who.set_groups) {
        out += " (groups kept)";
    }
    if (who.umask) {
        out += fmt::format(" umask {:04o}", *who.umask);
    }
    out += fmt::format(
        "\ncapabilities bounding={:x} effective={:x} permitted={:x} inheritable={:x} "
        "ambient={:x}\n",
        who.cap_bounding,
        who.cap_effective,
        who.cap_permitted,
        who.cap_inheritable,
        who.cap_ambient);
    out += fmt::format("no_new_privs {}\n", who.no_new_privs);
    if (who.seccomp) {
        out += fmt::format("seccomp {} instructions\n", who.seccomp->code.size());
    }
    if (!who.apparmor_profile.empty()) {
        out += fmt::format("apparmor {}\n", printable(who.apparmor_profile));
    }
    if (!who.selinux_label.empty()) {
        out += fmt::format("selinux {}\n", printable(who.selinux_label));
    }
}

void write_cgroup(const sys::CgroupPlan& cgroup, spec::JsonWriter& json) {
    json.key("cgroup").begin_object();
    json.member("v2", cgroup.v2);
    json.key("directories").begin_array();
    for (const sys::CgroupDir& dir : cgroup.dirs) {
        json.begin_object();
        json.member("controllers", dir.controllers);
        json.member("mount_point", dir.mount_point);
        json.member("path", dir.path);
        json.key("writes").begin_array();
        for (const sys::CgroupWrite& write : dir.writes) {
            json.begin_object();
            json.member("file", write.file);
            json.member("text", write.text);
            json.member("optional", write.optional);
            json.end_object();
        }
        json.end_array().end_object();
    }
    json.end_array();
    json.member("enable", cgroup.enable);
    json.key("device_rules").begin_array();
    for (const sys::CgroupDeviceRule& rule : cgroup.device_rules) {
        json.value(mode_text(rule));
    }
    json.end_array().end_object();
}

void write_identity(const Identity& who, spec::JsonWriter& json) {
    const auto hex = [](std::uint64_t bits) { return fmt::format("{:016x}", bits); };
    json.key("identity").begin_object();
    json.member("uid", who.uid);
    json.member("gid", who.gid);
    json.member("groups", who.groups);
    json.member("set_groups", who.set_groups);
    json.member("umask", who.umask);
    json.key("capabilities").begin_object();
    json.member("bounding", hex(who.cap_bounding));
    json.member("effective", hex(who.cap_effective));
    json.member("permitted", hex(who.cap_permitted));
    json.member("inheritable", hex(who.cap_inheritable));
    json.member("ambient", hex(who.cap_ambient));
    json.end_object();
    json.member("no_new_privs", who.no_new_privs);
    if (who.seccomp) {
        json.key("seccomp").begin_object();
        json.member("instructions", who.seccomp->code.size());
        json.member("flags", who.seccomp->flags);
        json.member("listener_path", who.seccomp_listener_path);
        json.end_object();
    }
    json.member("apparmor_profile", who.apparmor_profile);
    json.member("selinux_label", who.selinux_label);
    json.end_object();
}

void write_maps(const char* name,
                const std::vector<spec::IdMapping>& maps,
                spec::JsonWriter& json) {
    json.key(name).begin_array();
    for (const spec::IdMapping& one : maps) {
        json.begin_object();
        json.member("container_id", one.container_id);
        json.member("host_id", one.host_id);
        json.member("size", one.size);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

std::string plan_text(const LaunchPlan& plan) {
    std::string out = fmt::format("container {}\n", plan.id);
    for (const std::string& warning : plan.warnings) {
        out += fmt::format("warning: {}\n", warning);
    }
    out += fmt::format("new namespaces: {}\n",
                       names_of(static_cast<unsigned>(plan.new_namespaces), kNamespaceFlags));
    for (const JoinNamespace& join : plan.joins) {
        out += fmt::format("join {} namespace {}\n",
                           names_of(static_cast<unsigned>(join.type), kNamespaceFlags),
                           printable(join.path));
    }
    if (plan.id_maps) {
        out += fmt::format("uid map {}\ngid map {}{}\n",
                           mappings(plan.id_maps->uids),
                           mappings(plan.id_maps->gids),
                           plan.id_maps->deny_setgroups ? " (setgroups denied)" : "");
    }
    if (plan.cgroup) {
        print_cgroup(*plan.cgroup, out);
    }
    out += "steps:\n";
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        TextFields fields;
        const char* kind = describe_step(plan.steps[i].operation, fields);
        out += fmt::format("{:4} {}{}\n", i + 1, kind, fields.out());
    }
    each_hook(plan.hooks, [&](const char* point, const std::vector<spec::Hook>& hooks) {
        for (const spec::Hook& hook : hooks) {
            out += fmt::format("hook {} {}\n", point, printable(hook.path));
        }
    });
    print_identity(plan.identity, out);
    out += fmt::format("cwd {}\nexec", printable(plan.program.cwd));
    for (const std::string& argument : plan.program.args) {
        out += fmt::format(" {}", printable(argument, 4096));
    }
    out += '\n';
    return out;
}

std::string plan_json(const LaunchPlan& plan) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object();
    json.member("id", plan.id);
    json.member("warnings", plan.warnings);
    json.key("new_namespaces").begin_array();
    for (const Bit& one : kNamespaceFlags) {
        if ((static_cast<unsigned>(plan.new_namespaces) & one.bit) != 0) {
            json.value(one.name);
        }
    }
    json.end_array();
    json.key("joined_namespaces").begin_array();
    for (const JoinNamespace& join : plan.joins) {
        json.begin_object();
        json.member("type", names_of(static_cast<unsigned>(join.type), kNamespaceFlags));
        json.member("path", join.path);
        json.end_object();
    }
    json.end_array();
    if (plan.id_maps) {
        write_maps("uid_map", plan.id_maps->uids, json);
        write_maps("gid_map", plan.id_maps->gids, json);
        json.member("deny_setgroups", plan.id_maps->deny_setgroups);
    }
    if (plan.cgroup) {
        write_cgroup(*plan.cgroup, json);
    }
    json.key("steps").begin_array();
    for (const Step& one : plan.steps) {
        json.begin_object();
        json.member("name", one.name);
        JsonFields fields(json);
        json.member("kind", describe_step(one.operation, fields));
        json.end_object();
    }
    json.end_array();
    json.key("hooks").begin_object();
    each_hook(plan.hooks, [&](const char* point, const std::vector<spec::Hook>& hooks) {
        json.key(point).begin_array();
        for (const spec::Hook& hook : hooks) {
            json.value(hook.path);
        }
        json.end_array();
    });
    json.end_object();
    write_identity(plan.identity, json);
    json.key("program").begin_object();
    json.member("args", plan.program.args);
    json.member("env", plan.program.env);
    json.member("cwd", plan.program.cwd);
    json.member("preserve_fds", plan.program.preserve_fds);
    json.end_object();
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::runtime
