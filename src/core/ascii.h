#pragma once
// Letters and digits of names that are ASCII wherever they come from: hosts, header fields, image
// names. Not the C library's, which asks for the locale.

#include <string>
#include <string_view>

namespace knarr {

constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr char to_upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

constexpr bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// One digit or more, and nothing else.
constexpr bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

inline std::string to_lower(std::string text) {
    for (char& c : text) {
        c = to_lower(c);
    }
    return text;
}

inline std::string to_upper(std::string text) {
    for (char& c : text) {
        c = to_upper(c);
    }
    return text;
}

}  // namespace knarr
