#pragma once
// Where a monitor works, and what it could not do: ROOT/ID/trouble.

#include <string_view>

#include "engine/context.h"

namespace knarr::engine {

inline constexpr const char* kTroubleFile = "trouble";

/// Where a monitor works; what it warns of is the container's `trouble`, and in the log, as what
/// happened while it did `op`.
Context monitor_context(const StateRoot& root,
                        const ContainerId& id,
                        const OwnLog& log,
                        std::string_view op);

}  // namespace knarr::engine
