#pragma once
// ps: the processes of a container, as numbers or as the lines that ps(1) has about them.

#include <vector>

#include "engine/context.h"

namespace knarr::engine {

/// Errors: see Engine::processes.
Result<std::vector<int>> processes_of(const Context& context, const ContainerId& id);
/// Errors: see Engine::process_table.
Result<std::string> process_table(const Context& context,
                                  const ContainerId& id,
                                  const std::vector<std::string>& options);

/// The heading of a table of ps(1) and its lines about `pids`. Lines are told apart by the column
/// that the heading calls PID. Errors: invalid_argument when no column is called so.
Result<std::string> lines_about(std::string_view table, const std::vector<int>& pids);

}  // namespace knarr::engine
