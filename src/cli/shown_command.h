#pragma once
// A container's command in a column, by docker's rules.

#include <string>
#include <vector>

namespace knarr::cli {

/// The words with blanks between them, those with a blank but the first in single quotes, and all
/// of it as a text of Go; cut to 20 columns, the last of which is an ellipsis, unless `whole`.
/// Source: docker's strconv.Quote(Ellipsis(command, 20)).
std::string shown_command(const std::vector<std::string>& words, bool whole);

}  // namespace knarr::cli
