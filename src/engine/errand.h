#pragma once
// What knarr-monitor does besides watching, as a program of its own that ends soon: errands of a
// monitor, which stays small so. knarr-monitor WORD ROOT ID.

#include <span>
#include <string_view>

#include "knarr/own_log.h"
#include "knarr/result.h"

namespace knarr::engine {

/// Whether these arguments are those of an errand, and not of a monitor.
bool is_errand(std::span<const std::string_view> arguments);
/// Runs it. Errors: invalid_argument; those of the errand, which are also in its `trouble`.
Result<> run_errand(std::span<const std::string_view> arguments, const OwnLog& log = {});

}  // namespace knarr::engine
