#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace knarr::sys {

// Far above what a host has: a line is about 150 bytes, and the kernel bounds the mounts of one
// namespace at 100,000 (fs.mount-max).
inline constexpr std::size_t kMaxMountinfoBytes = 32U << 20U;

/// One line of /proc/PID/mountinfo. Source: proc(5).
struct MountLine {
    std::string root;  // the directory of the file system that is mounted
    std::string mount_point;
    std::string_view fstype, super_options;  // parts of the line
};
/// Nothing when the line is not one of mountinfo.
std::optional<MountLine> parse_mount_line(std::string_view line);

/// Whether the absolute `path` is `root` or lies below it, by its text alone.
bool is_below(std::string_view path, std::string_view root);

}  // namespace knarr::sys
