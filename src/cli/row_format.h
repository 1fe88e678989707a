#pragma once
// --format of lists, as docker has it: json, or a template for each row, in which \t and \n stand
// for what they name, and "table " before it for a heading and columns.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/json_template.h"
#include "knarr/result.h"

namespace knarr::cli {

inline constexpr Option kRowFormatOption{.name = "format",
                                         .value = "FORMAT",
                                         .help = "table, json (a line for each), or a template",
                                         .fallback = "table"};

class RowFormat {
public:
    /// "json" and "table" have no template: the second is for a caller whose own table it is.
    /// `headings`: a JSON object, of each member of a row the heading of its column.
    /// Errors: as Template::parse().
    static Result<RowFormat> parse(std::string_view format, std::string_view headings);
    /// Adds a row, a JSON object. Errors: as Template::render().
    Result<> add(std::string_view row);
    /// All rows, each with its line break.
    Result<std::string> text() &&;

private:
    RowFormat() = default;

    std::optional<Template> template_;  // nothing: json
    std::string headings_;
    bool table_ = false;
    std::vector<std::string> lines_;
};

}  // namespace knarr::cli
