#include "platform/mounts_below.h"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/mountinfo.h"

namespace knarr::sys {

namespace {

/// As mountinfo names them, in the order in which they were mounted.
Result<std::vector<std::string>> mounts_below(const std::string& directory) {
    const Result<Fd> dir = open_path(directory, O_PATH | O_DIRECTORY);
    if (!dir) {
        return dir.error().sys_errno == ENOENT ? Result<std::vector<std::string>>{}
                                               : fail(dir.error());
    }
    const std::string real = KNARR_TRY(read_link_at(Fd(), fd_path(*dir)));
    const std::string info = KNARR_TRY(read_file("/proc/self/mountinfo", kMaxMountinfoBytes));
    std::vector<std::string> out;
    for (const std::string_view line : split(info, '\n')) {
        std::optional<MountLine> mount = parse_mount_line(line);
        if (mount && mount->mount_point != real && is_below(mount->mount_point, real)) {
            out.push_back(std::move(mount->mount_point));
        }
    }
    return out;
}

}  // namespace

Result<> refuse_mounts_below(const std::string& directory) {
    const std::vector<std::string> found = KNARR_TRY(mounts_below(directory));
    if (found.empty()) {
        return {};
    }
    return fail(
        Error{.code = Errc::unsupported,
              .message = fmt::format("{} is mounted below the root file system, and without "
                                     "a mount namespace it could not be told from the "
                                     "container's mounts",
                                     printable(found.front())),
              .hint = "add {\"type\": \"mount\"} to linux.namespaces, or unmount it"});
}

Result<> unmount_below(const std::string& directory) {
    const std::vector<std::string> found = KNARR_TRY(mounts_below(directory));
    for (const std::string& place : found) {
        // A bound tree that is shared with its source would take the source's mounts along.
        if (mount(nullptr, place.c_str(), nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) {
            return fail_errno(errno, "make the mount on {} private", printable(place));
        }
    }
    for (auto place = found.rbegin(); place != found.rend(); ++place) {
        // EINVAL: it went with another one.
        if (umount2(place->c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL) {
            return fail_errno(errno, "unmount {}", printable(*place));
        }
    }
    return {};
}

}  // namespace knarr::sys
