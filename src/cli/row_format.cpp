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

Result<RowFormat> RowFormat::parse(std::string_view format, std::string_view headings) {
    RowFormat out;
    out.headings_ = headings;
    if (format == "json" || format == kTable) {
        return out;
    }
    out.table_ = format.starts_with(kTable) && format.size() > kTable.size() &&
                 (format[kTable.size()] == ' ' || format.substr(kTable.size()).starts_with("\\t"));
    if (out.table_) {
        format.remove_prefix(kTable.size() + (format[kTable.size()] == ' ' ? 1 : 2));
    }
    out.template_ = KNARR_TRY(Template::parse(unescaped(format)));
    return out;
}

Result<> RowFormat::add(std::string_view row) {
    if (!template_) {
        lines_.emplace_back(row);
        return {};
    }
    // A table's cells are made printable as a whole.
    lines_.push_back(
        KNARR_TRY(template_->render(row, table_ ? Controls::pass : controls_of_output())));
    return {};
}

Result<std::string> RowFormat::text() && {
    if (table_) {
        std::vector<std::vector<std::string>> rows;
        lines_.insert(lines_.begin(), KNARR_TRY(template_->render(headings_, Controls::pass)));
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
