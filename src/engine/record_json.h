#pragma once
// A container's record as the text of state.json.

#include <string>
#include <string_view>

#include "engine/record.h"

namespace knarr::engine {

std::string encode_record(const Record& record);
/// Unknown members are ignored. Errors: corrupt, also for a version that this build does not know.
Result<Record> decode_record(std::string_view json);

}  // namespace knarr::engine
