#pragma once
// Namespaces of a container: which are new, which are joined, who is who in a new user namespace.

#include <optional>
#include <string>
#include <vector>

#include "platform/host_facts.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

struct Namespaces {
    int created = 0;  // CLONE_NEW* of those that are new, cgroup and time included
    std::vector<JoinNamespace> joins;
    std::optional<IdMaps> id_maps;
    std::string time_offsets;  // lines for /proc/self/timens_offsets

    bool is_new(int type) const { return (created & type) != 0; }
    bool is_joined(int type) const;
    bool is_own(int type) const { return is_new(type) || is_joined(type); }
    int own() const;  // all of them, new and joined
};

/// "pid", "network", ... as config.json spells it.
const char* name_of(spec::NamespaceType type);

/// Errors: invalid_config for mappings without a user namespace, one without the other, ranges that
/// overlap, time offsets without a new time namespace, hostname without a UTS namespace;
/// unsupported for a namespace that this kernel does not have.
Result<Namespaces> plan_namespaces(const spec::RuntimeConfig& config, const sys::HostFacts& host);

/// linux.sysctl as steps. Errors: invalid_config for one that is not namespaced or whose namespace
/// the container does not have for itself: it would change the host.
/// Source: runtime-spec config-linux.md "Sysctl"; runc libcontainer, validate.
Result<std::vector<Step>> plan_sysctls(const spec::Linux& config, const Namespaces& namespaces);

}  // namespace knarr::runtime::native
