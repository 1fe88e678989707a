#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::cli {

struct KeyValue {
    std::string key, value;
};

/// Whether a key may stand without "=", with an empty value.
enum class Bare : std::uint8_t { allowed, refused };

/// "KEY=VALUE" of a label, an annotation or a sysctl; `what` is the option's name.
/// Errors: invalid_argument.
Result<KeyValue> parse_key_value(std::string_view text, std::string_view what, Bare bare);

/// Whether what docker's filters ask of labels is so: "KEY" is there, or "KEY=VALUE".
bool has_label(const std::map<std::string, std::string>& labels, const std::string& wanted);

/// Whether of each key that is among `wishes` one value fits, as docker's filters have it.
template <typename Fits>
bool fits_each_key(const std::vector<KeyValue>& wishes, const Fits& fits) {
    return std::ranges::all_of(wishes, [&](const KeyValue& wish) {
        return std::ranges::any_of(wishes, [&](const KeyValue& other) {
            return other.key == wish.key && fits(other.key, other.value);
        });
    });
}

}  // namespace knarr::cli
