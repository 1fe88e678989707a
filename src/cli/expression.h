#pragma once
// Extended regular expressions of --filter, as POSIX has them. Pure.

#include <string>

namespace knarr::cli {

bool is_expression(const std::string& text);
/// Whether it fits some part of `text`; not so for what is no expression.
bool matches_somewhere(const std::string& expression, const std::string& text);

}  // namespace knarr::cli
