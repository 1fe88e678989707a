#include "bundle/seccomp_profile.h"

#include <algorithm>

namespace knarr::bundle {

namespace {

#if defined(__x86_64__)
constexpr std::string_view kOwnArchitecture = "amd64", kOwnSeccompName = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr std::string_view kOwnArchitecture = "arm64", kOwnSeccompName = "SCMP_ARCH_AARCH64";
#else
#error "name this machine's architecture here, as Go and as libseccomp do"
#endif

bool has(const std::vector<std::string>& all, std::string_view one) {
    return std::ranges::find(all, one) != all.end();
}

bool is_left_out(const spec::SeccompWhere& where,
                 const std::vector<std::string>& capabilities,
                 spec::KernelVersion kernel) {
    return has(where.architectures, kOwnArchitecture) ||
           std::ranges::any_of(where.capabilities,
                               [&](const std::string& one) { return has(capabilities, one); }) ||
           (where.min_kernel && kernel >= *where.min_kernel);
}

bool is_included(const spec::SeccompWhere& where,
                 const std::vector<std::string>& capabilities,
                 spec::KernelVersion kernel) {
    return (where.architectures.empty() || has(where.architectures, kOwnArchitecture)) &&
           std::ranges::all_of(where.capabilities,
                               [&](const std::string& one) { return has(capabilities, one); }) &&
           (!where.min_kernel || kernel >= *where.min_kernel);
}

}  // namespace

spec::Seccomp choose_rules(const spec::SeccompProfile& profile,
                           const std::vector<std::string>& capabilities,
                           spec::KernelVersion kernel) {
    spec::Seccomp out = profile.filter;
    for (const spec::SeccompArchMap& one : profile.arch_map) {
        if (one.architecture == kOwnSeccompName) {
            out.architectures = {one.architecture};
            out.architectures.insert(out.architectures.end(),
                                     one.sub_architectures.begin(),
                                     one.sub_architectures.end());
            break;
        }
    }
    for (const spec::SeccompProfileRule& one : profile.rules) {
        if (!is_left_out(one.excludes, capabilities, kernel) &&
            is_included(one.includes, capabilities, kernel)) {
            out.syscalls.push_back(one.rule);
        }
    }
    return out;
}

}  // namespace knarr::bundle
