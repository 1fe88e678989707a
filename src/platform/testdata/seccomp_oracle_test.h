#pragma once
// libseccomp, driven as runc and crun drive it: the oracle for our compiler.

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
