#include "cli/indented_json.h"

#include <algorithm>

namespace knarr::cli {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/// Behind the text that begins at `begin` with its first quote.
std::size_t end_of_text(std::string_view json, std::size_t begin) {
    std::size_t at = begin + 1;
    while (at < json.size() && json[at] != '"') {
        at += json[at] == '\\' ? 2 : 1;
    }
    return std::min(at + 1, json.size());
}

}  // namespace

std::string indented_json(std::string_view json, std::string_view step, std::size_t depth) {
    std::string out;
    const auto new_line = [&] {
        out += '\n';
        for (std::size_t i = 0; i < depth; ++i) {
            out += step;
        }
    };
    for (std::size_t at = 0; at < json.size();) {
        const char c = json[at];
        if (c == '"') {
            const std::size_t end = end_of_text(json, at);
            out += json.substr(at, end - at);
            at = end;
            continue;
        }
        ++at;
        if (is_blank(c)) {
            continue;
        }
        if (c == '}' || c == ']') {
            const bool empty = out.ends_with(c == '}' ? '{' : '[');
            depth -= depth > 0 ? 1 : 0;
            if (!empty) {
                new_line();
            }
        }
        out += c;
        if (c == ':') {
            out += ' ';
        }
        const std::size_t next = json.find_first_not_of(" \n\t\r", at);
        const bool closes =
            next != std::string_view::npos && (json[next] == '}' || json[next] == ']');
        if (c == '{' || c == '[') {
            ++depth;
        }
        if (((c == '{' || c == '[') && !closes) || c == ',') {
            new_line();
        }
    }
    return out;
}

}  // namespace knarr::cli
