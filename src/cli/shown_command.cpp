#include "cli/shown_command.h"

#include "cli/text_columns.h"

namespace knarr::cli {

namespace {
constexpr std::size_t kColumns = 20;
}  // namespace

std::string shown_command(const std::vector<std::string>& words, bool whole) {
    std::string text;
    for (const std::string& word : words) {
        const bool quotes = !text.empty() && word.find(' ') != std::string::npos;
        text += text.empty() ? word : quotes ? " '" + word + "'" : " " + word;
    }
    return go_quoted(whole ? text : cut_to_columns(text, kColumns));
}

}  // namespace knarr::cli
