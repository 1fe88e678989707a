#pragma once
// One rule's conditions as a chain of nodes: the comparisons that all have to hold, one behind the
// other, before its action.

#include <cstdint>
#include <span>

#include "platform/seccomp_node.h"

namespace knarr::sys {

/// How many there are to an argument: a 32-bit or a 64-bit architecture.
enum class SeccompWords : std::uint8_t { one, two };

/// The first node of the chain; kNoNode when no condition says anything. No two name the same
/// argument.
NodeId make_chain(SeccompNodes& nodes,
                  SeccompWords words,
                  std::span<const SeccompCondition> conditions,
                  std::uint32_t action);

}  // namespace knarr::sys
