#pragma once

#include <string_view>

#include "knarr/result.h"

namespace knarr {

/// A named point of multi-step work at which a test can make the next step fail or the process die.
///
///     KNARR_TRY(fault_point("create.made"), "create {}", id);
///
/// Test builds (KNARR_FAULTS defined) read the environment: KNARR_FAULT="create.made" makes the
/// point fail with Errc::internal; "create.made=kill" or "=stop" sends the process that signal.
/// KNARR_FAULT="note:/path" lets all go on and appends the name of each point met to that file.
/// In release builds the function is empty and the name is not in the binary.
#ifdef KNARR_FAULTS
Result<> fault_point(std::string_view name);
#else
inline Result<> fault_point(std::string_view) {
    return {};
}
#endif

}  // namespace knarr
