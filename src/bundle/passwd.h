#pragma once
// The texts of an image's /etc/passwd and /etc/group, which are hostile input: bounded, and numbers
// that do not fit are refused, never wrapped.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::bundle {

/// The largest /etc/passwd or /etc/group of an image that is read.
inline constexpr std::size_t kMaxPasswdBytes = size::kMiB;
/// The largest number of supplementary groups. Source: Linux NGROUPS_MAX is 65536; an image needs
/// far fewer.
inline constexpr std::size_t kMaxGroups = 1024;

/// Who a container's first process is.
struct ResolvedUser {
    std::uint32_t uid = 0, gid = 0;
    std::vector<std::uint32_t> groups;  // supplementary, ascending, without `gid`
    std::string home = "/";             // of the passwd entry; "/" where there is none
    std::string name;                   // of the passwd entry; may be empty
};

/// Resolves `user` ("", "uid", "name", "uid:gid", "name:group", mixed) with the texts of the
/// image's /etc/passwd and /etc/group (empty: the file is not there). "" is root. A number is
/// always an ID, never a name of the image's (CVE-2016-3697), and needs no entry; a name does. With
/// an explicit group there are no supplementary groups of the user; without one there are those
/// that list the user's name.
///
/// Errors: invalid_argument for a name without an entry, for a number above 4294967294 (CVE-2024-
/// 40635) and for malformed text, naming `user`.
Result<ResolvedUser> resolve_user(std::string_view user,
                                  std::string_view passwd,
                                  std::string_view group);

/// The supplementary groups that its process gets: the primary one is among them, so that a file
/// that denies a group access denies it also where set-group-ID changes the primary one
/// (CVE-2022-36109). But for root's, which every single mapping of an ordinary user has.
std::vector<std::uint32_t> all_groups(const ResolvedUser& user);

/// The text of `path` below the root of a container, whatever that has under this name: links stay
/// inside, and what is not there or not a regular file is empty.
/// Errors: limit_exceeded beyond kMaxPasswdBytes.
Result<std::string> read_user_file(const sys::Fd& root, const char* path);

}  // namespace knarr::bundle
