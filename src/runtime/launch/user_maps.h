#pragma once
// Who is who in a user namespace for an ordinary user's images: user 0 is the caller, the others
// are the subordinate IDs that an administrator has given to him.

#include <cstdint>
#include <vector>

#include "runtime/launch/id_maps.h"
#include "spec/runtime_config.h"

namespace knarr::runtime {

struct UserMaps {
    std::vector<spec::IdMapping> uids, gids;
};

/// One side: 0 is `own`, from 1 on the `given` ranges follow one another. Left out is what is
/// given twice, what is `own` and what the kernel would not take: then less than all of it is
/// mapped, never a wrong one.
std::vector<spec::IdMapping> user_mappings(std::uint32_t own,
                                           const std::vector<SubordinateRange>& given);

/// Those of the caller, by /etc/subuid and /etc/subgid.
UserMaps probe_user_maps();

/// How many users besides the caller there are: the smaller one of both sides.
std::uint64_t subordinate_count(const UserMaps& maps);

/// What an administrator does for a user who has none, or too few.
std::string subordinate_hint();

}  // namespace knarr::runtime
