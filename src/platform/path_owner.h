#pragma once
// Who else decides where a path leads.

#include <optional>
#include <string>

#include "knarr/result.h"

namespace knarr::sys {

/// What is on the way to a path and in the hands of others, and why.
struct HandsOfOthers {
    enum class Why : std::uint8_t {
        link,      // a symbolic link of theirs, which they can turn elsewhere
        owner,     // a directory of theirs, in which they can rename
        writable,  // a directory in which they may rename, since it has no sticky bit
    };
    std::string path;
    Why why = Why::link;
    unsigned owner = 0, mode = 0;
};

/// What a look along a path has found.
struct WayTo {
    std::optional<HandsOfOthers> others;
    bool is_there = false;  // all of the path: of what is not, nobody knows who will make it
};

/// Whether what this user owns is as safe as our own: root's, ours, and in a user namespace what
/// belongs to nobody there.
bool is_trusted_owner(unsigned owner);

/// The first symbolic link (`path` itself included) or directory (without it) on the way to `path`
/// (absolute) that is neither root's nor our own, or where others may write without the sticky bit.
/// A group may write that is root's, or our own with our number: one of that user alone, as most
/// systems make them. So may users and groups that an access control list names. In a user
/// namespace, what belongs to nobody there (overflowuid) counts as root's: the host's root is that,
/// and nobody can tell them apart. What is not there ends the look.
Result<WayTo> hands_of_others(const std::string& path);

}  // namespace knarr::sys
