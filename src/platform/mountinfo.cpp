#include "platform/mountinfo.h"

#include "core/text.h"

namespace knarr::sys {

namespace {

/// Undoes mountinfo's quoting of blanks and backslashes: "\040".
std::string unquote(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octal = [&](std::size_t k) { return text[k] >= '0' && text[k] <= '7'; };
        if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) &&
            octal(i + 3)) {
            out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                     (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace

std::optional<MountLine> parse_mount_line(std::string_view line) {
    // "31 23 0:28 /root /mount/point options [tags] - fstype source super-options"
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto before = split(line.substr(0, dash), ' ');
    const auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 6 || after.size() < 3) {
        return std::nullopt;
    }
    return MountLine{.root = unquote(before[3]),
                     .mount_point = unquote(before[4]),
                     .fstype = after[0],
                     .super_options = after[2]};
}

bool is_below(std::string_view path, std::string_view root) {
    return root == "/" ||
           (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/'));
}

}  // namespace knarr::sys
