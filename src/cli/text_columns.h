#pragma once
// Texts by what a terminal shows of them, and as Go writes them.

#include <cstddef>
#include <string>
#include <string_view>

namespace knarr::cli {

/// The columns that a terminal gives a text: two for a character of East Asia that is wide.
std::size_t columns_of(std::string_view text);

/// The text, or where it has more columns (1 or more) as much as fits before an ellipsis. Source:
/// docker's Ellipsis().
std::string cut_to_columns(std::string_view text, std::size_t most);

/// A text of Go in double quotes, as strconv.Quote() writes it.
std::string go_quoted(std::string_view text);

}  // namespace knarr::cli
