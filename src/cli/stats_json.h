#pragma once
// Statistics and events as JSON, spelled as runc's `events`.

#include <string>
#include <string_view>

#include "knarr/stats.h"

namespace knarr::cli {

/// One event without the line break. Members that runc calls by a capital letter, that are null
/// where nothing is counted, or whose limit is 2^64-1 where there is none, are as runc has them.
std::string event_json(std::string_view id, const StatsSample& event);

}  // namespace knarr::cli
