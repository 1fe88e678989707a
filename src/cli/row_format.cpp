#include "cli/row_format.h"

#include "cli/json_template.h"
#include "cli/table.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::string_view kTable = "table";

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 1 < text.size();
        if (escape && (text[i + 1] == 't' || text[i + 1] == 'n')) {
            out += text[++i] == 't' ? '\t' : '\n';
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace

RowFormat::RowFormat(std::string_view format, std::string_view headings) : headings_(headings) {
    table_ = format.starts_with(kTable) && format.size() > kTable.size() &&
             (format[kTable.size()] == ' ' || format.substr(kTable.size()).starts_with("\\t"));
    if (table_) {
        format.remove_prefix(kTable.size() + (format[kTable.size()] == ' ' ? 1 : 2));
    }
    template_ = unescaped(format);
}

Result<> RowFormat::add(std::string_view row) {
    lines_.push_back(KNARR_TRY(render_template(template_, row)));
    return {};
}

Result<std::string> RowFormat::text() && {
    if (table_) {
        std::vector<std::vector<std::string>> rows;
        lines_.insert(lines_.begin(), KNARR_TRY(render_template(template_, headings_)));
        for (const std::string& line : lines_) {
            std::vector<std::string>& cells = rows.emplace_back();
            for (const std::string_view cell : split(line, '\t')) {
                cells.emplace_back(cell);
            }
        }
        return format_table(rows);
    }
    std::string out;
    for (const std::string& line : lines_) {
        out += line + "\n";
    }
    return out;
}

}  // namespace knarr::cli
