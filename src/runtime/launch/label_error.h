#pragma once

#include <cstdint>

#include "knarr/error.h"

namespace knarr::runtime {

enum class LabelOf : std::uint8_t { apparmor, selinux };

/// Why a security module does not take the label for the next execve, in people's words.
/// Source: kernel security/apparmor/lsm.c and security/selinux/hooks.c, their setprocattr.
Error explain_label(Error failed, LabelOf module);

}  // namespace knarr::runtime
