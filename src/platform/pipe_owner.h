#pragma once
// Who may open a pipe by its name in /proc/self/fd.

#include <sys/types.h>

namespace knarr::sys {

/// Makes `user` the owner of stdin, stdout and stderr where they are pipes: the program may open
/// /dev/stdout by name, as with runc and crun. Other kinds of files stay as they are: a terminal or
/// the null device is the host's. What cannot be given away (a user namespace does not know its
/// owner) stays too.
void give_pipes(uid_t user);

}  // namespace knarr::sys
