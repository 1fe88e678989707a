#pragma once
// What making a cgroup and changing one share. Private to this room.

#include <map>
#include <string>
#include <vector>

#include "platform/cgroup.h"

namespace knarr::sys {

using Reasons = std::map<std::string, std::string, std::less<>>;  // controller -> why it is missing

/// Enables the controllers for the children of every cgroup above `dir`; what fails goes into
/// `reasons`.
void enable_above(const CgroupDir& dir, const std::vector<std::string>& wanted, Reasons& reasons);

/// The error of a write that did not succeed: what asked for it, and what is missing or refused.
std::unexpected<Error> write_failed(Error error,
                                    const CgroupDir& dir,
                                    const CgroupWrite& write,
                                    const Reasons& reasons);

}  // namespace knarr::sys
