#pragma once
// Making files and putting them on the disk for good: thin calls by descriptor.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/stat.h>
#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

// --- durability ---
/// fsync(2), of a file or a directory.
Result<> sync_fd(const Fd& fd);
/// syncfs(2): everything on the file system of `fd`.
Result<> sync_filesystem(const Fd& fd);
/// Starts to write a range back without waiting; only a hint.
void start_writeback(const Fd& fd, std::uint64_t offset, std::uint64_t bytes);
/// renameat(2). Errors: sys_errno ENOENT, EEXIST or ENOTEMPTY.
Result<> rename_at(const Fd& from_dir,
                   const std::string& from,
                   const Fd& to_dir,
                   const std::string& to);
/// A shared flock(2) on an open file.
Result<> lock_shared(const Fd& file);
/// Gives a flock up before the file is closed everywhere.
void unlock(const Fd& file);
/// An exclusive flock on an open file, without waiting; whether it is ours now. A shared one that
/// we had becomes it, or is lost.
Result<bool> try_lock(const Fd& file);
/// What those without privileges may still use of a file system. Source: statvfs(3).
struct FreeSpace {
    std::uint64_t bytes = 0, inodes = 0;
};
Result<FreeSpace> free_space(const std::string& path);
uid_t effective_uid();
/// May we, as the effective user, write to this file or directory?
bool can_write(const std::string& path);
pid_t own_pid();

// --- single entries; none follows a link ---
/// mknodat(2). Errors: sys_errno EEXIST.
Result<> make_device_at(const Fd& dir, const std::string& name, mode_t type_and_mode, dev_t device);
/// linkat(2), never through a link at the end. Errors: sys_errno EEXIST, EMLINK, EPERM.
Result<> hard_link_at(const Fd& from_dir,
                      const std::string& from,
                      const Fd& to_dir,
                      const std::string& to);
/// A file without a name on the file system of `dir`, open for reading and writing: nothing of it
/// stays when it is closed. Source: open(2), O_TMPFILE.
Result<Fd> make_unnamed_file(const Fd& dir);
/// Gives it one. Errors: sys_errno EEXIST.
Result<> name_file_at(const Fd& file, const Fd& dir, const std::string& name);
Result<> set_owner_at(const Fd& dir, const std::string& name, uid_t uid, gid_t gid);
/// fchownat(2) and fchmod(2) of a descriptor that was not opened O_PATH.
Result<> set_owner_of(const Fd& fd, uid_t uid, gid_t gid);
Result<> set_mode_of(const Fd& fd, mode_t mode);
/// Modification time; the access time becomes the same, so that two unpacks are equal.
Result<> set_time_of(const Fd& fd, timespec modified);
Result<> set_time_at(const Fd& dir, const std::string& name, timespec modified);

// --- content ---
/// pwrite(2) of all bytes.
Result<> write_all_at(const Fd& fd, std::string_view bytes, std::uint64_t offset);
Result<> set_size(const Fd& fd, std::uint64_t bytes);
/// Copies a file's data and keeps its holes; the count of data bytes.
Result<std::uint64_t> copy_sparse(const Fd& from, const Fd& to);

}  // namespace knarr::sys
