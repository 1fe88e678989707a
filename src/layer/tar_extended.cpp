#include "layer/tar_extended.h"

#include <algorithm>

#include "core/text.h"

namespace knarr::layer {

namespace {
constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";
}  // namespace

const std::string* TarExtended::find(const std::string& key) const {
    if (const auto it = records.find(key); it != records.end()) {
        return it->second.empty() ? nullptr : &it->second;
    }
    const auto it = global.find(key);
    return it == global.end() || it->second.empty() ? nullptr : &it->second;
}

/// Source: pax(1) "pax Header Block": records "LENGTH KEY=VALUE\n", LENGTH counts itself.
Result<> TarExtended::add_pax(std::string_view body, PaxScope scope) {
    std::string_view rest = body;
    while (!rest.empty()) {
        const std::size_t blank = rest.find(' ');
        const auto length = parse_number(rest.substr(0, std::min<std::size_t>(blank, 20)));
        if (blank == std::string_view::npos || !length || *length > rest.size() ||
            *length < blank + 3 || rest[*length - 1] != '\n') {
            return fail(Errc::invalid_image, "a PAX record has a wrong length");
        }
        const std::string_view record = rest.substr(blank + 1, *length - blank - 2);
        rest.remove_prefix(*length);
        const std::size_t equals = record.find('=');
        if (equals == 0 || equals == std::string_view::npos) {
            return fail(Errc::invalid_image, "a PAX record has no key");
        }
        const std::string key(record.substr(0, equals));
        const std::string_view value = record.substr(equals + 1);
        if (key.starts_with(kXattrPrefix) && scope == PaxScope::entry) {
            xattr_bytes += record.size();
            if (xattr_bytes > kMaxXattrBytes) {
                return fail(Errc::limit_exceeded, "its attributes exceed {} bytes", kMaxXattrBytes);
            }
            xattrs.emplace_back(key.substr(kXattrPrefix.size()), value);
        } else if (key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes") {
            const auto number = parse_number(value, INT64_MAX);
            const bool is_offset = key == "GNU.sparse.offset";
            if (!number || is_offset != (sparse_numbers.size() % 2 == 0) ||
                sparse_numbers.size() >= 2 * kMaxSparseRuns) {
                return fail(Errc::invalid_image, "the sparse map is malformed");
            }
            sparse_numbers.push_back(*number);
        } else if (key == "path" || key == "linkpath" || key == "size" || key == "uid" ||
                   key == "gid" || key == "mtime" ||
                   (key.starts_with("GNU.sparse.") && scope == PaxScope::entry)) {
            (scope == PaxScope::global ? global : records)[key] = value;
        }
    }
    return {};
}

}  // namespace knarr::layer
