#pragma once
// What the verbs called inspect have in common.

#include <functional>
#include <string>
#include <string_view>

#include "cli/verb.h"

namespace knarr::cli {

inline constexpr Option kInspectFormatOption{
    .name = "format", .letter = 'f', .value = "TEMPLATE", .help = "json, or only that of each"};

/// Prints what `find` has for each that is named: by the template of --format, else as one JSON
/// array, which is indented unless that says json. All are tried, and those that were found are
/// shown, as docker has it; each failure is told, and the status says that there was one. Errors:
/// also when none is named, `noun` being what they are, and for what is no template.
Result<int> print_inspected(Context& context,
                            const Parsed& args,
                            std::string_view noun,
                            const std::function<Result<std::string>(std::string_view name)>& find);

}  // namespace knarr::cli
