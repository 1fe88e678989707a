#include "runtime/native/identity.h"

#include <algorithm>

#include "core/text.h"
#include "runtime/native/capability_names.h"

namespace knarr::runtime::native {

namespace {

using Names = std::vector<std::string>;

class CapabilityReader {
public:
    CapabilityReader(const sys::HostFacts& host, std::vector<std::string>& warnings)
        : host_(host), warnings_(warnings) {}

    std::uint64_t mask(const Names& names) {
        std::uint64_t bits = 0;
        for (const std::string& name : names) {
            const std::optional<int> number = capability_number(name);
            if (number && *number <= host_.last_cap) {
                bits |= 1ULL << static_cast<unsigned>(*number);
                continue;
            }
            std::string warning =
                fmt::format("process.capabilities: {} is {}: ignored",
                            printable(name),
                            number ? "not known to this kernel" : "not the name of a capability");
            if (std::ranges::find(warnings_, warning) == warnings_.end()) {
                warnings_.push_back(std::move(warning));
            }
        }
        return bits;
    }

private:
    const sys::HostFacts& host_;
    std::vector<std::string>& warnings_;
};

Result<> check_subset(std::uint64_t part, const char* name, std::uint64_t whole, const char* of) {
    if ((part & ~whole) != 0) {
        const int first = __builtin_ctzll(part & ~whole);
        return fail(Errc::invalid_config,
                    "process.capabilities.{}: {} is not in process.capabilities.{}, without which "
                    "the kernel does not give it",
                    name,
                    capability_name(first),
                    of);
    }
    return {};
}

Result<> plan_capabilities(const spec::Process& process,
                           const sys::HostFacts& host,
                           Identity& out,
                           std::vector<std::string>& warnings) {
    if (!process.capabilities) {
        return {};  // none at all
    }
    CapabilityReader reader(host, warnings);
    const spec::Capabilities& config = *process.capabilities;
    out.cap_bounding = reader.mask(config.bounding);
    out.cap_permitted = reader.mask(config.permitted);
    out.cap_effective = reader.mask(config.effective);
    out.cap_ambient = reader.mask(config.ambient);
    (void)reader.mask(config.inheritable);  // warns about unknown names
    KNARR_TRY(check_subset(out.cap_effective, "effective", out.cap_permitted, "permitted"));
    KNARR_TRY(check_subset(out.cap_ambient, "ambient", out.cap_permitted, "permitted"));
    // An ambient capability has to be inheritable; nothing else is.
    out.cap_inheritable = out.cap_ambient;
    return {};
}

Result<> plan_labels(const spec::Process& process, const sys::HostFacts& host, Identity& out) {
    if (!process.apparmor_profile.empty() && process.apparmor_profile != "unconfined" &&
        !host.apparmor) {
        return fail(Errc::unsupported,
                    "process.apparmorProfile: \"{}\" is asked for, but AppArmor is not enabled on "
                    "this host",
                    printable(process.apparmor_profile));
    }
    if (!process.selinux_label.empty() && !host.selinux) {
        return fail(
            Errc::unsupported,
            "process.selinuxLabel: \"{}\" is asked for, but SELinux is not enabled on this host",
            printable(process.selinux_label));
    }
    if (host.apparmor) {
        out.apparmor_profile = process.apparmor_profile;
    }
    out.selinux_label = process.selinux_label;
    return {};
}

}  // namespace

Result<Identity> plan_identity(const spec::RuntimeConfig& config,
                               const sys::HostFacts& host,
                               bool keep_groups,
                               std::vector<std::string>& warnings) {
    Identity out;
    const spec::Process& process = *config.process;
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
        out.umask = *process.user.umask;
    }
    KNARR_TRY(plan_capabilities(process, host, out, warnings));
    out.no_new_privs = process.no_new_privileges;
    KNARR_TRY(plan_labels(process, host, out));
    if (config.linux_ && !config.linux_->mount_label.empty() && !host.selinux) {
        return fail(
            Errc::unsupported,
            "linux.mountLabel: \"{}\" is asked for, but SELinux is not enabled on this host",
            printable(config.linux_->mount_label));
    }
    return out;
}

}  // namespace knarr::runtime::native
