#pragma once

#include <cerrno>

#include "knarr/error.h"

namespace knarr::sys {

/// Whether the error says that there is no such path: that its last name is not there, or that
/// what is before it is no directory.
inline bool is_absent(const Error& error) {
    return error.sys_errno == ENOENT || error.sys_errno == ENOTDIR;
}

}  // namespace knarr::sys
