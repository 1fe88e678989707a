#pragma once
// libseccomp, driven as runc and crun drive it: the oracle for our compiler.

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/seccomp.h"

namespace knarr::sys::testing {

inline std::uint32_t token_of(SeccompArch arch) {
    static constexpr std::uint32_t kTokens[] = {
        SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32, SCMP_ARCH_AARCH64, SCMP_ARCH_ARM};
    return kTokens[static_cast<std::size_t>(arch)];
}

inline bool add_oracle_rule(scmp_filter_ctx context, const SeccompRule& rule, int number) {
    static constexpr scmp_compare kOps[] = {SCMP_CMP_NE,
                                            SCMP_CMP_LT,
                                            SCMP_CMP_LE,
                                            SCMP_CMP_EQ,
                                            SCMP_CMP_GE,
                                            SCMP_CMP_GT,
                                            SCMP_CMP_MASKED_EQ};
    std::vector<scmp_arg_cmp> all;
    std::array<int, 6> uses{};
    bool repeated = false;
    for (const SeccompCondition& c : rule.conditions) {
        all.push_back({c.index, kOps[static_cast<std::size_t>(c.op)], c.value, c.value_two});
        repeated = repeated || ++uses[c.index] > 1;
    }
    const auto add = [&](const scmp_arg_cmp* args, std::size_t count) {
        return seccomp_rule_add_array(
                   context, rule.action.raw(), number, static_cast<unsigned>(count), args) == 0;
    };
    if (!repeated) {
        return add(all.data(), all.size());
    }
    for (const scmp_arg_cmp& one : all) {
        if (!add(&one, 1)) {
            return false;
        }
    }
    return true;
}

/// Calls newer than any that a policy names, which runc puts in front of libseccomp's filter:
/// ENOSYS. The numbers are libseccomp's, not those of our own tables.
class NewerCalls {
public:
    explicit NewerCalls(const SeccompPolicy& policy) {
        using Kind = SeccompAction::Kind;
        const Kind kind = policy.default_action.kind;
        if (kind == Kind::allow || kind == Kind::log || kind == Kind::trace) {
            return;
        }
        std::vector<SeccompArch> arches = policy.architectures;
        arches.push_back(native_seccomp_arch());
        for (const SeccompArch arch : arches) {
            has_x32_ = has_x32_ || arch == SeccompArch::x32;
            for (const SeccompRule& rule : policy.rules) {
                for (const Syscall call : rule.syscalls) {
                    note(arch, call);
                }
            }
        }
    }

    bool has(const seccomp_data& data) const {
        const auto number = static_cast<std::uint32_t>(data.nr);
        for (std::size_t i = 0; i < newest_.size(); ++i) {
            const auto arch = static_cast<SeccompArch>(i);
            const bool x32 = arch == SeccompArch::x32;
            if (data.arch != (x32 ? std::uint32_t{SCMP_ARCH_X86_64} : token_of(arch))) {
                continue;
            }
            // Bit 30 is x32's; -1 belongs to whoever comes last.
            const bool of_x32 = has_x32_ && (number & 0xc0000000) != 0;
            const bool mine = x32 ? of_x32
                                  : arch != SeccompArch::x86_64 ||
                                        (!of_x32 && (number < 0x40000000 || number == ~0U));
            if (mine && newest_[i]) {
                return number > *newest_[i];
            }
        }
        return false;
    }

private:
    void note(SeccompArch arch, Syscall call) {
        auto& newest = newest_[static_cast<std::size_t>(arch)];
        const int number =
            seccomp_syscall_resolve_name_arch(token_of(arch), std::string(name_of(call)).c_str());
        if (number >= 0) {
            newest = std::max(newest.value_or(0), static_cast<std::uint32_t>(number));
        } else if (arch == SeccompArch::x86 && number > -300) {
            // The pseudo-numbers of what is reached through socketcall(2), 102, or ipc(2), 117, as
            // well. runc does not count these calls.
            const std::uint32_t through = number > -200 ? 102 : 117;
            newest = std::max({newest.value_or(0), through, number_of(call, arch).value_or(0)});
        }
    }

    std::array<std::optional<std::uint32_t>, kSeccompArches> newest_{};
    bool has_x32_ = false;
};

/// The filter that libseccomp makes of the policy; nothing when it refuses a rule.
inline std::optional<std::vector<sock_filter>> compile_oracle(const SeccompPolicy& policy) {
    struct Context {
        scmp_filter_ctx get;
        ~Context() { seccomp_release(get); }
    } context{seccomp_init(policy.default_action.raw())};
    for (const SeccompArch arch : policy.architectures) {
        const int added = seccomp_arch_add(context.get, token_of(arch));
        if (added != 0 && added != -EEXIST) {
            return std::nullopt;
        }
    }
    for (const SeccompRule& rule : policy.rules) {
        if (rule.action == policy.default_action) {
            continue;
        }
        for (const Syscall call : rule.syscalls) {
            const int number = seccomp_syscall_resolve_name(std::string(name_of(call)).c_str());
            if (number != __NR_SCMP_ERROR && !add_oracle_rule(context.get, rule, number)) {
                return std::nullopt;
            }
        }
    }
    const int file = memfd_create("oracle", MFD_CLOEXEC);
    if (seccomp_export_bpf(context.get, file) != 0) {
        close(file);
        return std::nullopt;
    }
    const auto size = static_cast<std::size_t>(lseek(file, 0, SEEK_END));
    std::vector<sock_filter> code(size / sizeof(sock_filter));
    const ssize_t got = pread(file, code.data(), size, 0);
    close(file);
    return got == static_cast<ssize_t>(size) ? std::optional(code) : std::nullopt;
}

}  // namespace knarr::sys::testing
