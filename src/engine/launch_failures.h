#pragma once
// Launches of containers of images that failed, for `explain`: most of these containers are undone,
// and nothing else is left that could tell. They stand in ROOT/.events/failed, in the form of the
// events (event_log.h), and the oldest are forgotten in the same way.

#include <optional>
#include <string_view>

#include "engine/context.h"
#include "engine/record.h"

namespace knarr::engine {

/// Notes that this container did not come to run, and why; for one of a bundle nothing. That it
/// cannot is a warning.
void note_failure(const Context& context, const Record& record, const Error& error);

/// The last one of the container that has, or had, this ID, beginning of an ID, or name.
Result<std::optional<LaunchFailure>> last_failure(const Context& context, std::string_view text);

}  // namespace knarr::engine
