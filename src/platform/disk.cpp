#include "platform/disk.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"

namespace knarr::sys {

Result<> sync_fd(const Fd& fd) {
    if (fsync(fd.get()) != 0) {
        return fail_errno(errno, "fsync");
    }
    return {};
}

Result<> sync_filesystem(const Fd& fd) {
    if (syncfs(fd.get()) != 0) {
        return fail_errno(errno, "syncfs");
    }
    return {};
}

void start_writeback(const Fd& fd, std::uint64_t offset, std::uint64_t bytes) {
    (void)sync_file_range(
        fd.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE);
}

Result<> rename_at(const Fd& from_dir,
                   const std::string& from,
                   const Fd& to_dir,
                   const std::string& to) {
    if (renameat(from_dir.get(), from.c_str(), to_dir.get(), to.c_str()) != 0) {
        return fail_errno(errno, "rename {} to {}", printable(from), printable(to));
    }
    return {};
}

Result<> lock_shared(const Fd& file) {
    while (flock(file.get(), LOCK_SH) != 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "lock");
        }
    }
    return {};
}

void unlock(const Fd& file) {
    flock(file.get(), LOCK_UN);
}

Result<bool> try_lock(const Fd& file) {
    if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
        return true;
    }
    if (errno == EWOULDBLOCK) {
        return false;
    }
    return fail_errno(errno, "flock");
}

Result<FreeSpace> free_space(const std::string& path) {
    struct statvfs found{};
    if (statvfs(path.c_str(), &found) != 0) {
        return fail_errno(errno, "statvfs {}", path);
    }
    return FreeSpace{.bytes = found.f_bavail * found.f_frsize, .inodes = found.f_favail};
}

uid_t effective_uid() {
    return geteuid();
}

bool can_write(const std::string& path) {
    return faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

pid_t own_pid() {
    return getpid();
}

Result<> make_device_at(const Fd& dir,
                        const std::string& name,
                        mode_t type_and_mode,
                        dev_t device) {
    if (mknodat(dir.get(), name.c_str(), type_and_mode, device) != 0) {
        return fail_errno(errno, "mknod {}", printable(name));
    }
    return {};
}

Result<> hard_link_at(const Fd& from_dir,
                      const std::string& from,
                      const Fd& to_dir,
                      const std::string& to) {
    if (linkat(from_dir.get(), from.c_str(), to_dir.get(), to.c_str(), 0) != 0) {
        return fail_errno(errno, "link {} to {}", printable(to), printable(from));
    }
    return {};
}

Result<Fd> make_unnamed_file(const Fd& dir) {
    return open_at(dir, ".", O_TMPFILE | O_RDWR, 0600);
}

Result<> name_file_at(const Fd& file, const Fd& dir, const std::string& name) {
    if (linkat(AT_FDCWD, fd_path(file).c_str(), dir.get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
        return fail_errno(errno, "name {}", printable(name));
    }
    return {};
}

Result<> set_owner_at(const Fd& dir, const std::string& name, uid_t uid, gid_t gid) {
    if (fchownat(dir.get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_errno(errno, "chown {} to {}:{}", printable(name), uid, gid);
    }
    return {};
}

Result<> set_owner_of(const Fd& fd, uid_t uid, gid_t gid) {
    if (fchown(fd.get(), uid, gid) != 0) {
        return fail_errno(errno, "chown to {}:{}", uid, gid);
    }
    return {};
}

Result<> set_mode_of(const Fd& fd, mode_t mode) {
    if (fchmod(fd.get(), mode) != 0) {
        return fail_errno(errno, "chmod {:04o}", mode);
    }
    return {};
}

Result<> set_time_of(const Fd& fd, timespec modified) {
    const timespec both[2] = {modified, modified};
    if (futimens(fd.get(), both) != 0) {
        return fail_errno(errno, "set times");
    }
    return {};
}

Result<> set_time_at(const Fd& dir, const std::string& name, timespec modified) {
    const timespec both[2] = {modified, modified};
    if (utimensat(dir.get(), name.c_str(), both, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_errno(errno, "set times of {}", printable(name));
    }
    return {};
}

Result<> write_all_at(const Fd& fd, std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t put =
            pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail_errno(errno, "write");
        }
        bytes.remove_prefix(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<> set_size(const Fd& fd, std::uint64_t bytes) {
    if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
        return fail_errno(errno, "set size to {} bytes", bytes);
    }
    return {};
}

Result<std::uint64_t> copy_sparse(const Fd& from, const Fd& to) {
    struct stat info{};
    if (fstat(from.get(), &info) != 0) {
        return fail_errno(errno, "fstat");
    }
    KNARR_TRY(set_size(to, static_cast<std::uint64_t>(info.st_size)));
    std::uint64_t sum = 0;
    std::string buffer(std::size_t{256} * 1024, '\0');
    off_t at = 0;
    while (at < info.st_size) {
        const off_t data = lseek(from.get(), at, SEEK_DATA);
        if (data < 0) {
            break;  // ENXIO: only a hole is left
        }
        const off_t hole = lseek(from.get(), data, SEEK_HOLE);
        const off_t end = hole < 0 ? info.st_size : hole;
        for (at = data; at < end;) {
            const auto want =
                std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(end - at));
            const ssize_t got = pread(from.get(), buffer.data(), want, at);
            if (got <= 0) {
                return fail_errno(got < 0 ? errno : EIO, "copy");
            }
            const auto count = static_cast<std::size_t>(got);
            KNARR_TRY(write_all_at(to, {buffer.data(), count}, static_cast<std::uint64_t>(at)));
            at += got;
            sum += count;
        }
    }
    return sum;
}

}  // namespace knarr::sys
