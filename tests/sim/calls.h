#pragma once
// What the files of system calls share.

#include <linux/openat2.h>

#include "sim/world.h"

namespace knarr::sim {

File* new_file(FileKind kind, int flags);
long terminal_ioctl(File* file, unsigned long request, void* argument);
Inode* inode_of(File* file);
/// 0 or -errno; ENOENT for the last name, too.
int find_inode(int dir, const char* path, unsigned flags, Inode*& inode);
inline const char* shown(const char* path) {
    return path != nullptr ? path : "(null)";
}
long do_open(int dir, const char* path, int flags, mode_t mode, unsigned how);
long call_openat2(int dir, const char* path, const open_how& how);
/// syscall(2) of what has no wrapper in the C library.
long call_by_number(long number, const long* arguments);
long call_clone(std::uint64_t flags, int* pidfd, int exit_signal, int cgroup, pid_t* told);
long call_exec(int fd, const char* path, char* const argv[], int flags);
long call_pidfd_open(pid_t pid);
long call_pidfd_signal(int fd, int number);
long call_move_mount(const long* arguments);

}  // namespace knarr::sim
