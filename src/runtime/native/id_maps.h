#pragma once
// Who is who in a user namespace: the mappings of a new one checked, and who has to write them.

#include <cstdint>
#include <string>
#include <vector>

#include "platform/host_facts.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

/// The mappings of a new user namespace.
///
/// A caller without CAP_SETUID maps its own ID by itself, as one line of size 1; anything more is
/// written by newuidmap(1) and newgidmap(1), which look into /etc/subuid and /etc/subgid.
///
/// Errors: invalid_config for an empty, wrapping or overlapping range, more lines or bytes than the
/// kernel takes, and for IDs that the caller's own user namespace does not have.
/// Source: user_namespaces(7), "User and group ID mappings".
Result<IdMaps> plan_id_maps(const spec::Linux& config, const sys::HostFacts& host);

/// Every ID that the program gets must exist in its user namespace: the kernel would refuse it late
/// and without a name. `maps` is nullptr where there is no new user namespace.
/// Errors: invalid_config naming the property, the ID and what is mapped.
Result<> check_user_is_mapped(const spec::User& user,
                              const IdMaps* maps,
                              const sys::HostFacts& host);

/// Is this group's ID known in the user namespace that the container will have?
bool is_group_mapped(std::uint32_t gid, const IdMaps* maps, const sys::HostFacts& host);

}  // namespace knarr::runtime::native
