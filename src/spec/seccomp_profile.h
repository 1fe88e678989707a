#pragma once
// Seccomp profiles as Docker and podman have them in files: the filter of a config.json, whose
// rules and architectures count on some machines and for some capabilities alone.
// Source: moby profiles/seccomp (seccomp.go), containers/common pkg/seccomp (types.go).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/runtime_config.h"

namespace knarr::spec {

struct KernelVersion {
    std::uint32_t major = 0, minor = 0;
    auto operator<=>(const KernelVersion&) const = default;
};

/// Where a rule counts, or where it does not.
struct SeccompWhere {
    std::vector<std::string> capabilities;   // "CAP_SYS_ADMIN"
    std::vector<std::string> architectures;  // as moby calls them: "amd64"
    std::optional<KernelVersion> min_kernel;
};

struct SeccompProfileRule {
    SeccompRule rule;
    SeccompWhere includes, excludes;
};

/// What a filter is for where the machine's own architecture is the first of these.
struct SeccompArchMap {
    std::string architecture;  // "SCMP_ARCH_X86_64"
    std::vector<std::string> sub_architectures;
};

struct SeccompProfile {
    Seccomp filter;  // without rules; without architectures where there is a map of them
    std::vector<SeccompArchMap> arch_map;
    std::vector<SeccompProfileRule> rules;
};

/// `name` is what errors call the document. Errors: invalid_argument with the JSON path;
/// limit_exceeded past limits::kMaxSeccompProfileBytes. A member that differs from a known one in
/// case alone is refused: Go, and so Docker, takes it for that one.
Result<SeccompProfile> decode_seccomp_profile(std::string_view json, std::string_view name);

}  // namespace knarr::spec
