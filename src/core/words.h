#pragma once

#include <string_view>
#include <vector>

namespace knarr {

/// The parts of a line between blanks and tabs; none is empty.
std::vector<std::string_view> words(std::string_view line);

}  // namespace knarr
