#include "layer/path.h"

#include "core/limits.h"
#include "core/text.h"

namespace knarr::layer {

Result<std::string> normal_path(std::string_view raw) {
    constexpr std::size_t kMaxComponent = 255;  // NAME_MAX
    if (raw.empty()) {
        return fail(Errc::invalid_image, "the path is empty");
    }
    if (raw.size() >= limits::kMaxPathBytes) {
        return fail(Errc::limit_exceeded,
                    "the path has {} bytes, at most {} are allowed",
                    raw.size(),
                    limits::kMaxPathBytes - 1);
    }
    if (raw.starts_with('/')) {
        return fail(Errc::invalid_image, "the path is absolute");
    }
    std::string path;
    for (const std::string_view part : split(raw, '/')) {
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {
            return fail(Errc::invalid_image, "the path has a \"..\"");
        }
        if (part.find('\0') != std::string_view::npos) {
            return fail(Errc::invalid_image, "the path has a NUL byte");
        }
        if (part.size() > kMaxComponent) {
            return fail(Errc::limit_exceeded,
                        "a component of the path has {} bytes, at most {} are possible",
                        part.size(),
                        kMaxComponent);
        }
        if (!path.empty()) {
            path += '/';
        }
        path += part;
    }
    return path;
}

SplitPath split_last(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return {.parent = {}, .name = path};
    }
    return {.parent = path.substr(0, slash), .name = path.substr(slash + 1)};
}

std::string join(std::string_view parent, std::string_view name) {
    return parent.empty() ? std::string(name) : fmt::format("{}/{}", parent, name);
}

}  // namespace knarr::layer
