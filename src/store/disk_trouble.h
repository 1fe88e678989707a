#pragma once
// A disk that is full, read-only or broken: which one, and what to do about it.

#include <optional>
#include <string>

#include "knarr/result.h"
#include "platform/disk.h"

namespace knarr::store {

/// The same error, with the place and the way out when the disk below the data root `root` is what
/// it comes from. `free`: what is free there now; a write that failed has given its room back.
Error about_disk(Error error, const std::string& root, const std::optional<sys::FreeSpace>& free);

/// The same of what a function returned, looking what is free.
template <typename T>
Result<T> about_disk(Result<T> result, const std::string& root) {
    if (result) {
        return result;
    }
    std::optional<sys::FreeSpace> free;
    if (const auto found = sys::free_space(root)) {
        free = *found;
    }
    return fail(about_disk(std::move(result).error(), root, free));
}

}  // namespace knarr::store
