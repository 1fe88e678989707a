#include "platform/path_owner.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"
#include "core/words.h"
#include "platform/disk.h"
#include "platform/file.h"

namespace knarr::sys {

namespace {

constexpr unsigned kMaxLinks = 40;  // the kernel's own bound

std::deque<std::string> parts_of(std::string_view path) {
    std::deque<std::string> out;
    for (const std::string_view part : split(path, '/')) {
        if (!part.empty() && part != ".") {
            out.emplace_back(part);
        }
    }
    return out;
}

/// Asked only where an owner is unknown: most paths have none such.
bool in_user_namespace() {
    const Result<std::string> map = read_file("/proc/self/uid_map", 4 * size::kKiB);
    return map && words(std::string_view(*map).substr(0, map->find('\n'))) !=
                      std::vector<std::string_view>{"0", "0", "4294967295"};
}

constexpr unsigned kOverflowId = 65534;  // "overflowuid" of proc(5), unless somebody changes it

bool is_trusted(unsigned owner) {
    return owner == 0 || owner == effective_uid() || (owner == kOverflowId && in_user_namespace());
}

bool is_trusted_group(unsigned group) {
    return group == 0 || group == getegid() || (group == kOverflowId && in_user_namespace());
}

/// Why names in this directory are in the hands of others.
std::optional<HandsOfOthers> hands_on(const struct stat& dir, const std::string& path) {
    HandsOfOthers found{.path = path.empty() ? "/" : path,
                        .why = HandsOfOthers::Why::owner,
                        .owner = dir.st_uid,
                        .mode = dir.st_mode & 07777U};
    if (!is_trusted(dir.st_uid)) {
        return found;
    }
    const bool by_group = (dir.st_mode & S_IWGRP) != 0 && !is_trusted_group(dir.st_gid);
    if ((by_group || (dir.st_mode & S_IWOTH) != 0) && (dir.st_mode & S_ISVTX) == 0) {
        found.why = HandsOfOthers::Why::writable;
        return found;
    }
    return std::nullopt;
}

}  // namespace

Result<std::optional<HandsOfOthers>> hands_of_others(const std::string& path) {
    std::deque<std::string> left = parts_of(path);
    Fd dir = KNARR_TRY(open_path("/", O_PATH | O_DIRECTORY));
    std::string here;  // where `dir` is, by the names that led there
    for (unsigned links = 0; !left.empty();) {
        const std::string name = std::move(left.front());
        left.pop_front();
        if (auto found = hands_on(KNARR_TRY(stat_of(dir), "{}", here), here)) {
            return found;
        }
        Result<std::optional<struct stat>> looked = stat_at(dir, name);
        if (!looked && looked.error().sys_errno == EACCES) {
            return std::nullopt;  // who opens the path is told so, too
        }
        const auto info = KNARR_TRY(std::move(looked));
        if (!info) {
            return std::nullopt;
        }
        if (name == "..") {
            here.resize(std::min(here.rfind('/'), here.size()));
        } else {
            here += "/" + name;
        }
        if (!S_ISLNK(info->st_mode)) {
            if (left.empty() || !S_ISDIR(info->st_mode)) {
                return std::nullopt;
            }
            dir = KNARR_TRY(open_at(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW), "{}", here);
            continue;
        }
        if (!is_trusted(info->st_uid)) {
            return HandsOfOthers{
                .path = here, .why = HandsOfOthers::Why::link, .owner = info->st_uid};
        }
        if (++links > kMaxLinks) {
            return fail_errno(ELOOP, "{}", printable(path));
        }
        const std::string target = KNARR_TRY(read_link_at(dir, name));
        std::deque<std::string> more = parts_of(target);
        left.insert(left.begin(), more.begin(), more.end());
        if (target.starts_with('/')) {
            dir = KNARR_TRY(open_path("/", O_PATH | O_DIRECTORY));
            here.clear();
        }
    }
    return std::nullopt;
}

}  // namespace knarr::sys
