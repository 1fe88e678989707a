#pragma once
// Letters of names that are ASCII wherever they come from: hosts, header fields, image names. Not
// the C library's, which asks for the locale.

#include <string>

namespace knarr {

constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string to_lower(std::string text) {
    for (char& c : text) {
        c = to_lower(c);
    }
    return text;
}

}  // namespace knarr
