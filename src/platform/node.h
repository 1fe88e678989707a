#pragma once
// Making and changing single entries of a directory, by descriptor and without following links.

#include <string>

#include <sys/stat.h>
#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

/// mknodat(2): a device, FIFO or socket. `type_and_mode` as S_IFCHR | 0666.
/// Errors: sys_errno EEXIST, EPERM.
Result<> make_node_at(const Fd& dir, const std::string& name, mode_t type_and_mode, dev_t device);
/// symlinkat(2). Errors: sys_errno EEXIST.
Result<> make_symlink_at(const Fd& dir, const std::string& name, const std::string& target);

/// The owner and mode of what an O_PATH descriptor names. The mode is exact: no umask.
Result<> set_owner(const Fd& fd, uid_t uid, gid_t gid);
Result<> set_mode(const Fd& fd, mode_t mode);
/// Owner, mode (but not of a link) and times, of any descriptor, as `like` has them.
Result<> set_attributes(const Fd& fd, const struct stat& like);
/// The same of an entry, which is looked up once. Errors: io where it is of another type than
/// `like` by now. Of a file that was just written its descriptor is surer: somebody may have put
/// another one in its place, which would get the set-user-ID bit.
Result<> set_attributes_at(const Fd& dir, const std::string& name, const struct stat& like);

/// Opens the file or directory that an O_PATH descriptor names. Errors: io for anything else, which
/// is not even opened: a device may do something then, and may be the host's.
Result<Fd> reopen(const Fd& found, int flags);

}  // namespace knarr::sys
