#include "cli/key_value.h"

#include "core/text.h"

namespace knarr::cli {

Result<KeyValue> parse_key_value(std::string_view text, std::string_view what, Bare bare) {
    const std::size_t equals = text.find('=');
    const bool is_bare = equals == std::string_view::npos;
    if (text.empty() || equals == 0 || (is_bare && bare == Bare::refused)) {
        return fail(Errc::invalid_argument, "{} \"{}\" is not KEY=VALUE", what, printable(text));
    }
    return KeyValue{.key = std::string(text.substr(0, equals)),
                    .value = is_bare ? std::string() : std::string(text.substr(equals + 1))};
}

bool has_label(const std::map<std::string, std::string>& labels, const std::string& wanted) {
    const std::size_t equals = wanted.find('=');
    const auto label = labels.find(wanted.substr(0, equals));
    return label != labels.end() &&
           (equals == std::string::npos || label->second == wanted.substr(equals + 1));
}

}  // namespace knarr::cli
