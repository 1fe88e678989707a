#include "runtime/native/identity.h"

#include <algorithm>
#include <array>
#include <optional>

#include "bundle/seccomp_policy.h"
#include "core/text.h"
#include "platform/capability.h"
#include "runtime/native/annotations.h"

namespace knarr::runtime::native {

namespace {

using Names = std::vector<std::string>;

/// Reads sets of capabilities, and says once for each reason which ones cannot be given.
class CapabilityReader {
public:
    /// `grantable`: what the launcher itself may hand out.
    CapabilityReader(const sys::HostFacts& host, std::uint64_t grantable)
        : host_(host), grantable_(grantable) {}

    std::uint64_t mask(const Names& names) {
        std::uint64_t bits = 0;
        for (const std::string& name : names) {
            const std::optional<unsigned> number = sys::parse_capability(name);
            if (!number) {
                leave_out(printable(name), "no capability of that name");
            } else if (static_cast<int>(*number) > host_.last_cap) {
                leave_out(name, "not known to this kernel");
            } else if ((grantable_ & sys::cap_bit(*number)) == 0) {
                leave_out(name, "not ours to give");
            } else {
                bits |= sys::cap_bit(*number);
            }
        }
        return bits;
    }

    /// What of `part` is in `whole` too; the kernel would refuse the rest.
    std::uint64_t within(std::uint64_t part,
                         const char* name,
                         std::uint64_t whole,
                         const char* of) {
        for (std::uint64_t rest = part & ~whole; rest != 0; rest &= rest - 1) {
            const auto number = static_cast<unsigned>(__builtin_ctzll(rest));
            leave_out(std::string(sys::capability_name(number)),
                      fmt::format("{} but not {}", name, of));
        }
        return part & whole;
    }

    std::vector<std::string> warnings() const {
        std::vector<std::string> all;
        all.reserve(left_out_.size());
        for (const auto& [why, names] : left_out_) {
            all.push_back(
                fmt::format("process.capabilities: left out {} ({})", fmt::join(names, ", "), why));
        }
        return all;
    }

private:
    void leave_out(const std::string& name, const std::string& why) {
        auto at = std::ranges::find(left_out_, why, &Reason::first);
        if (at == left_out_.end()) {
            at = left_out_.insert(at, {why, {}});
        }
        if (std::ranges::find(at->second, name) == at->second.end()) {
            at->second.push_back(name);
        }
    }

    using Reason = std::pair<std::string, Names>;

    const sys::HostFacts& host_;
    std::uint64_t grantable_;
    std::vector<Reason> left_out_;  // in the order in which the reasons were found
};

bool has_own_user_namespace(const spec::RuntimeConfig& config) {
    return config.linux_ &&
           std::ranges::find(config.linux_->namespaces,
                             spec::NamespaceType::user,
                             &spec::Namespace::type) != config.linux_->namespaces.end();
}

/// Source: runtime-spec config.md "capabilities": what cannot be granted is warned about and does
/// not fail the launch.
void plan_capabilities(const spec::RuntimeConfig& config,
                       const sys::HostFacts& host,
                       Identity& out,
                       std::vector<std::string>& warnings) {
    const spec::Process& process = *config.process;
    if (!process.capabilities) {
        return;  // none at all
    }
    // In a user namespace of its own the launcher has them all.
    const std::uint64_t grantable =
        has_own_user_namespace(config) ? ~0ULL : host.bounding_caps & host.effective_caps;
    CapabilityReader reader(host, grantable);
    const spec::Capabilities& wanted = *process.capabilities;
    out.cap_bounding = reader.mask(wanted.bounding);
    out.cap_permitted = reader.mask(wanted.permitted);
    out.cap_effective =
        reader.within(reader.mask(wanted.effective), "effective", out.cap_permitted, "permitted");
    // An inheritable capability is given as the bundle says, and only so: knarr's own bundles and
    // exec have none (CVE-2022-29162).
    out.cap_inheritable = reader.within(
        reader.mask(wanted.inheritable), "inheritable", out.cap_bounding, "in the bounding set");
    const std::uint64_t ambient =
        reader.within(reader.mask(wanted.ambient), "ambient", out.cap_permitted, "permitted");
    out.cap_ambient = reader.within(ambient, "ambient", out.cap_inheritable, "inheritable");
    std::ranges::move(reader.warnings(), std::back_inserter(warnings));
}

Result<> plan_labels(const spec::Process& process, const sys::HostFacts& host, Identity& out) {
    if (!process.apparmor_profile.empty() && process.apparmor_profile != "unconfined" &&
        !host.apparmor) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("process.apparmorProfile: \"{}\" is asked for, but AppArmor is "
                                   "not enabled on this host",
                                   printable(process.apparmor_profile)),
            .hint = "leave the profile out, or boot the host with AppArmor (apparmor=1 "
                    "security=apparmor)"});
    }
    if (!process.selinux_label.empty() && !host.selinux) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("process.selinuxLabel: \"{}\" is asked for, but SELinux is not "
                                   "enabled on this host",
                                   printable(process.selinux_label)),
            .hint = "leave the label out, or boot the host with SELinux (selinux=1 "
                    "security=selinux)"});
    }
    if (host.apparmor) {
        out.apparmor_profile = process.apparmor_profile;
    }
    out.selinux_label = process.selinux_label;
    return {};
}

/// To setresuid(2) this number means "leave as it is": the program would stay root.
Result<> check_id(const char* property, std::uint32_t id) {
    if (id == UINT32_MAX) {
        return fail(
            Errc::invalid_config, "{}: {} is no ID; the highest is {}", property, id, id - 1);
    }
    return {};
}

/// The action of config.json for a call whatever its arguments; nothing where they decide.
std::optional<std::string> action_for(const spec::Seccomp& seccomp, std::string_view call) {
    std::string action = seccomp.default_action;
    for (const spec::SeccompRule& rule : seccomp.syscalls) {
        // A rule with the default action says nothing.
        if (rule.action == seccomp.default_action ||
            std::ranges::find(rule.names, call) == rule.names.end()) {
            continue;
        }
        if (!rule.args.empty()) {
            return std::nullopt;
        }
        action = rule.action;
    }
    return action;
}

/// A filter is loaded before the program, whose start is a call like any other. Where it is killed
/// for that nobody is left who could say why.
Result<> check_program_is_allowed(const spec::Seccomp& seccomp) {
    constexpr std::array<std::string_view, 4> kStarts{
        "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE"};
    const std::optional<std::string> action = action_for(seccomp, "execve");
    if (!action || std::ranges::find(kStarts, *action) != kStarts.end()) {
        return {};
    }
    return fail(Error{.code = Errc::invalid_config,
                      .message = fmt::format("linux.seccomp: the profile denies execve ({}), so "
                                             "that no program can be started under it",
                                             *action),
                      .hint = "add execve to the names of a rule with SCMP_ACT_ALLOW"});
}

Result<> plan_seccomp(const spec::Seccomp& seccomp,
                      bool all_known,
                      Identity& out,
                      std::vector<std::string>& warnings) {
    bundle::SeccompConversion converted = KNARR_TRY(bundle::seccomp_policy(seccomp));
    KNARR_TRY(check_program_is_allowed(seccomp));
    if (!converted.unknown_syscalls.empty() && all_known) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = printable(
                              fmt::format("linux.seccomp.syscalls: not known as system calls: {}",
                                          fmt::join(converted.unknown_syscalls, " ")),
                              1024),
                          .hint = fmt::format("the annotation {} makes this an error: correct the "
                                              "names or leave it out",
                                              kFailUnknownSyscall)});
    }
    if (!converted.unknown_syscalls.empty()) {
        // One line: profiles of newer engines name a dozen calls that this build does not know.
        warnings.push_back(printable(fmt::format("linux.seccomp: not known as system calls: {}",
                                                 fmt::join(converted.unknown_syscalls, " ")),
                                     1024));
    }
    sys::SeccompProgram program =
        KNARR_TRY(sys::compile_seccomp(converted.policy), "linux.seccomp");
    if (program.needs_listener) {
        out.seccomp_listener_path = seccomp.listener_path;
        out.seccomp_listener_metadata = seccomp.listener_metadata;
    }
    out.seccomp = std::move(program);
    return {};
}

}  // namespace

Result<Identity> plan_identity(const spec::RuntimeConfig& config,
                               const sys::HostFacts& host,
                               bool keep_groups,
                               std::vector<std::string>& warnings) {
    Identity out;
    const spec::Process& process = *config.process;
    KNARR_TRY(check_id("process.user.uid", process.user.uid));
    KNARR_TRY(check_id("process.user.gid", process.user.gid));
    out.uid = process.user.uid;
    out.gid = process.user.gid;
    out.groups.assign(process.user.additional_gids.begin(), process.user.additional_gids.end());
    out.set_groups = !keep_groups;
    if (keep_groups && !out.groups.empty()) {
        return fail(Errc::unsupported,
                    "process.user.additionalGids: the supplementary groups are kept as they are, "
                    "because setgroups(2) is denied here or an annotation asks for it");
    }
    if (process.user.umask) {
        if (*process.user.umask > 0777) {
            return fail(Errc::invalid_config,
                        "process.user.umask: {:o} (octal) is not in 0 to 777",
                        *process.user.umask);
        }
        out.umask = process.user.umask;
    }
    plan_capabilities(config, host, out, warnings);
    out.no_new_privs = process.no_new_privileges;
    KNARR_TRY(plan_labels(process, host, out));
    if (config.linux_ && config.linux_->seccomp) {
        KNARR_TRY(plan_seccomp(
            *config.linux_->seccomp, is_annotated(config, kFailUnknownSyscall), out, warnings));
    }
    if (config.linux_ && !config.linux_->mount_label.empty() && !host.selinux) {
        return fail(
            Errc::unsupported,
            "linux.mountLabel: \"{}\" is asked for, but SELinux is not enabled on this host",
            printable(config.linux_->mount_label));
    }
    return out;
}

}  // namespace knarr::runtime::native
