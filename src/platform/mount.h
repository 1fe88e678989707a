#pragma once
// Mounts by descriptor: the kernel's new mount API, mount(2) through /proc/self/fd where the kernel
// is older. Nothing here looks a path of a container up; callers pass descriptors that they
// resolved beneath the root. Source: fsopen(2), move_mount(2), open_tree(2), mount_setattr(2).

#include <cstdint>
#include <string>
#include <vector>

#include "platform/fd.h"

namespace knarr::sys {

/// One fsconfig(2) parameter: a flag ("ro"), a string ("mode=755") or a descriptor.
struct FsOption {
    std::string key;
    std::string value;
    bool is_flag = false;
    const Fd* fd = nullptr;  // FSCONFIG_SET_FD
};

/// Splits mount(2) data ("mode=755,size=64k,ro") into options.
std::vector<FsOption> split_options(const std::string& data);

/// A new file system, mounted nowhere yet. `flags` are MS_* as for mount(2): what belongs to the
/// mount becomes attributes, what belongs to the superblock options.
/// Errors carry the kernel's own words from the fs context ("tmpfs: Bad value for 'size'").
Result<Fd> make_filesystem(const std::string& fstype,
                           const std::string& source,
                           const std::vector<FsOption>& options,
                           unsigned long flags);

/// A detached copy of the mount at `fd`; with everything below it when `recursive`.
Result<Fd> clone_mount(const Fd& fd, bool recursive);
Result<Fd> clone_mount_at(const std::string& host_path, bool recursive);

/// Puts a detached mount on `target`, a directory or file opened O_PATH.
Result<> attach_mount(const Fd& mount, const Fd& target);

/// mount_setattr(2) on the mount that `mount` is the root of.
struct MountAttributes {
    std::uint64_t set = 0, clear = 0;    // MOUNT_ATTR_*
    std::uint64_t propagation = 0;       // MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0
    const Fd* user_namespace = nullptr;  // idmapped mount
    bool recursive = false;
};
Result<> set_mount_attributes(const Fd& mount, const MountAttributes& attributes);

/// MS_* mount flags as MOUNT_ATTR_* (rdonly, nosuid, nodev, noexec, atime modes, nosymfollow).
std::uint64_t attributes_of(unsigned long flags);

/// Changes the propagation of the whole tree below "/": mount(NULL, "/", NULL, flags).
Result<> set_propagation_of_all(unsigned long flags);
/// Makes the mount that holds `host_path` private.
Result<> make_parent_private(const std::string& host_path);
/// mount(2) with MS_REMOUNT on the mount at `target`.
Result<> remount(const Fd& target, unsigned long flags, const std::string& data);

/// Makes `root` the root of this mount namespace and detaches the old one, no mount of which may be
/// shared with another namespace.
Result<> pivot_to(const Fd& root);
/// The old way, where pivot_root is impossible (initramfs): move `root` over "/" and chroot.
Result<> move_to_root(const Fd& root);
Result<> chroot_to(const Fd& root);

/// True when `fd` lies on a real procfs. Source: statfs(2) PROC_SUPER_MAGIC.
bool is_procfs(const Fd& fd);
/// True when it lies on one that is only a view of the kernel: proc, sysfs, cgroup, devpts, mqueue
/// and their like. Source: linux/magic.h.
bool is_kernel_view(const Fd& fd);

}  // namespace knarr::sys
