#include "platform/path_owner.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <vector>

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"
#include "core/words.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/xattr.h"

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

bool is_trusted_group(unsigned group) {
    return group == 0 || (group == getegid() && group == effective_uid()) ||
           (group == kOverflowId && in_user_namespace());
}

/// Where there is a list, the group's mode bits are its mask, and it may name others.
/// Source: acl(5); linux/posix_acl_xattr.h.
Result<bool> list_lets_others_write(const Fd& dir) {
    struct Header {
        std::uint32_t version = 0;
    };
    struct Entry {
        std::uint16_t tag = 0, bits = 0;
        std::uint32_t id = 0;
    };
    constexpr std::uint16_t kUser = 2, kGroup = 8, kWrite = 2;
    // `dir` is open as a path only, which attributes are not read by.
    const Fd readable = KNARR_TRY(open_at(dir, ".", O_RDONLY | O_DIRECTORY));
    const auto list = KNARR_TRY(get_xattr(readable, "system.posix_acl_access"));
    if (!list) {
        return false;
    }
    for (std::size_t at = sizeof(Header); at + sizeof(Entry) <= list->size(); at += sizeof(Entry)) {
        Entry entry;
        std::memcpy(&entry, list->data() + at, sizeof entry);
        entry = {.tag = le16toh(entry.tag), .bits = le16toh(entry.bits), .id = le32toh(entry.id)};
        const bool is_other = (entry.tag == kUser && !is_trusted_owner(entry.id)) ||
                              (entry.tag == kGroup && !is_trusted_group(entry.id));
        if (is_other && (entry.bits & kWrite) != 0) {
            return true;
        }
    }
    return false;
}

/// Why names in this directory are in the hands of others.
Result<std::optional<HandsOfOthers>> hands_on(const Fd& dir, const std::string& path) {
    const struct stat info = KNARR_TRY(stat_of(dir));
    HandsOfOthers found{.path = path.empty() ? "/" : path,
                        .why = HandsOfOthers::Why::owner,
                        .owner = info.st_uid,
                        .mode = info.st_mode & 07777U};
    if (!is_trusted_owner(info.st_uid)) {
        return found;
    }
    if ((info.st_mode & S_ISVTX) != 0) {
        return std::nullopt;
    }
    bool by_others = (info.st_mode & S_IWOTH) != 0;
    if (!by_others && (info.st_mode & S_IWGRP) != 0) {
        by_others = !is_trusted_group(info.st_gid) || KNARR_TRY(list_lets_others_write(dir));
    }
    found.why = HandsOfOthers::Why::writable;
    return by_others ? std::optional(found) : std::nullopt;
}

}  // namespace

bool is_trusted_owner(unsigned owner) {
    return owner == 0 || owner == effective_uid() || (owner == kOverflowId && in_user_namespace());
}

Result<WayTo> hands_of_others(const std::string& path) {
    std::deque<std::string> left = parts_of(path);
    Fd dir = KNARR_TRY(open_path("/", O_PATH | O_DIRECTORY));
    std::string here;  // where `dir` is, by the names that led there
    for (unsigned links = 0; !left.empty();) {
        const std::string name = std::move(left.front());
        left.pop_front();
        if (auto found = KNARR_TRY(hands_on(dir, here), "{}", here)) {
            return WayTo{.others = std::move(found)};
        }
        Result<std::optional<struct stat>> looked = stat_at(dir, name);
        if (!looked && looked.error().sys_errno == EACCES) {
            return WayTo{};  // who opens the path is told so, too
        }
        const auto info = KNARR_TRY(std::move(looked));
        if (!info) {
            return WayTo{};
        }
        if (name == "..") {
            here.resize(std::min(here.rfind('/'), here.size()));
        } else {
            here += "/" + name;
        }
        if (!S_ISLNK(info->st_mode)) {
            if (left.empty() || !S_ISDIR(info->st_mode)) {
                return WayTo{.others = {}, .is_there = left.empty()};
            }
            dir = KNARR_TRY(open_at(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW), "{}", here);
            continue;
        }
        if (!is_trusted_owner(info->st_uid)) {
            return WayTo{.others = HandsOfOthers{
                             .path = here, .why = HandsOfOthers::Why::link, .owner = info->st_uid}};
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
    return WayTo{.others = {}, .is_there = true};  // the root, or a link that led to it
}

}  // namespace knarr::sys
