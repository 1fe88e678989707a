#pragma once

#include <string>
#include <string_view>

namespace knarr::cli {

/// A JSON text in the form in which docker prints what it inspects: a member a line, `step` a
/// level. What stands in texts stays as it is; blanks between the parts do not matter. `depth` is
/// the level at which it goes into another one.
std::string indented_json(std::string_view json,
                          std::string_view step = "    ",
                          std::size_t depth = 0);

}  // namespace knarr::cli
