#include "platform/file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/text.h"

namespace knarr::sys {

Result<Fd> open_at(const Fd& dir, const std::string& path, int flags, mode_t mode) {
    while (true) {
        const int fd = openat(dir.get(), path.c_str(), flags | O_CLOEXEC, mode);
        if (fd >= 0) {
            return Fd(fd);
        }
        if (errno != EINTR) {
            return fail_errno(errno, "open {}", printable(path));
        }
    }
}

Result<Fd> open_path(const std::string& path, int flags, mode_t mode) {
    const int fd = open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) {
        return fail_errno(errno, "open {}", printable(path));
    }
    return Fd(fd);
}

Result<Fd> open_how(const Fd& dir,
                    const std::string& path,
                    std::uint64_t flags,
                    std::uint64_t resolve,
                    mode_t mode) {
    struct open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    // EAGAIN: the kernel could not prove that a rename did not lead ".." out of the root.
    for (int tries = 0; tries < 128; ++tries) {
        const long fd = syscall(SYS_openat2, dir.get(), path.c_str(), &how, sizeof how);
        if (fd >= 0) {
            return Fd(static_cast<int>(fd));
        }
        if (errno != EINTR && errno != EAGAIN) {
            break;
        }
    }
    return fail_errno(errno, "open {}", printable(path));
}

Result<Fd> open_in_root(const Fd& root, std::string_view path, int flags) {
    return open_how(root,
                    path.empty() ? "." : std::string(path),
                    static_cast<std::uint64_t>(flags),
                    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<Fd> make_dirs(const std::string& path, mode_t mode) {
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        if (mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) {
            return fail_errno(errno, "mkdir {}", printable(path.substr(0, at)));
        }
    }
    if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
        return fail_errno(errno, "mkdir {}", printable(path));
    }
    return open_path(path, O_RDONLY | O_DIRECTORY);
}

Result<struct stat> stat_of(const Fd& fd) {
    struct stat out{};
    if (fstatat(fd.get(), "", &out, AT_EMPTY_PATH) != 0) {
        return fail_errno(errno, "fstat");
    }
    return out;
}

Result<std::optional<struct stat>> stat_at(const Fd& dir, const std::string& name) {
    struct stat out{};
    if (fstatat(dir.get(), name.c_str(), &out, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::nullopt;
        }
        return fail_errno(errno, "stat {}", printable(name));
    }
    return out;
}

Result<std::string> read_link_at(const Fd& dir, const std::string& name) {
    std::string target(4097, '\0');
    const ssize_t got = readlinkat(dir.get(), name.c_str(), target.data(), target.size());
    if (got < 0) {
        return fail_errno(errno, "readlink {}", printable(name));
    }
    target.resize(static_cast<std::size_t>(got));
    return target;
}

Result<std::vector<std::string>> list_dir(const Fd& dir) {
    // A fresh open file: the reading position must not be shared with the caller's descriptor.
    Fd own = KNARR_TRY(open_at(dir, ".", O_RDONLY | O_DIRECTORY), "list directory");
    DIR* stream = fdopendir(own.get());
    if (stream == nullptr) {
        return fail_errno(errno, "fdopendir");
    }
    own.release();  // closedir closes it
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(stream)) {
        const std::string_view name(entry->d_name);
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    const int error = errno;
    closedir(stream);
    if (error != 0) {
        return fail_errno(error, "readdir");
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::string> read_file_at(const Fd& dir, const std::string& path, std::size_t max) {
    const Fd file = KNARR_TRY(open_at(dir, path, O_RDONLY));
    return KNARR_TRY(read_all(file, max), "{}", printable(path));
}

Result<std::string> read_file(const std::string& path, std::size_t max) {
    const Fd file = KNARR_TRY(open_path(path, O_RDONLY));
    return KNARR_TRY(read_all(file, max), "{}", printable(path));
}

Result<> write_file_at(const Fd& dir, const std::string& path, std::string_view text) {
    const Fd file = KNARR_TRY(open_at(dir, path, O_WRONLY));
    while (write(file.get(), text.data(), text.size()) < 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "write \"{}\" to {}", printable(text, 64), printable(path));
        }
    }
    return {};
}

Result<> make_file_at(const Fd& dir, const std::string& name, std::string_view text, mode_t mode) {
    const Fd file = KNARR_TRY(open_at(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
    KNARR_TRY(write_all(file, text), "write {}", name);
    return {};
}

Result<> replace_file(
    const Fd& dir, const std::string& name, std::string_view text, mode_t mode, Sync sync) {
    static std::atomic<unsigned> counter = 0;
    const std::string temporary = fmt::format(".{}.{}.{}.tmp", name, getpid(), ++counter);
    {
        const Fd file =
            KNARR_TRY(open_at(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
        Result<> written = write_all(file, text);
        if (written && fsync(file.get()) != 0) {
            written = fail_errno(errno, "fsync");
        }
        if (written && renameat(dir.get(), temporary.c_str(), dir.get(), name.c_str()) != 0) {
            written = fail_errno(errno, "rename");
        }
        if (!written) {
            unlinkat(dir.get(), temporary.c_str(), 0);
            return fail(std::move(written).error().within("write " + printable(name)));
        }
    }
    if (sync == Sync::file_and_directory && fsync(dir.get()) != 0 && errno != EINVAL &&
        errno != EBADF) {
        return fail_errno(errno, "fsync directory of {}", printable(name));
    }
    return {};
}

Result<> make_dir_at(const Fd& dir, const std::string& name, mode_t mode) {
    if (mkdirat(dir.get(), name.c_str(), mode) != 0) {
        return fail_errno(errno, "mkdir {}", printable(name));
    }
    return {};
}

Result<> unlink_at(const Fd& dir, const std::string& name, int flags) {
    if (unlinkat(dir.get(), name.c_str(), flags) != 0 && errno != ENOENT) {
        return fail_errno(errno, "unlink {}", printable(name));
    }
    return {};
}

namespace {

/// One directory on the way down. `fd` is closed while more than kOpenLevels are open below it.
struct Level {
    Fd fd;
    dev_t device = 0;
    ino_t inode = 0;
    std::vector<std::string> names;  // left to remove
};

/// How many directories are held open at once: a tree may be deeper than RLIMIT_NOFILE.
constexpr std::size_t kOpenLevels = 64;

Result<Level> enter_level(Fd dir) {
    const struct stat info = KNARR_TRY(stat_of(dir));
    Result<std::vector<std::string>> listed = list_dir(dir);
    if (!listed && listed.error().sys_errno == ENOENT) {
        listed.emplace();  // another process has removed it under our hands
    }
    std::vector<std::string> names = KNARR_TRY(std::move(listed));
    return Level{.fd = std::move(dir),
                 .device = info.st_dev,
                 .inode = info.st_ino,
                 .names = std::move(names)};
}

/// Opens a level again through the ".." of its child, and makes sure that it is the same one: the
/// child may have been moved meanwhile.
Result<> reopen_level(Level& level, const Fd& child) {
    Fd fd = KNARR_TRY(open_at(child, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const struct stat info = KNARR_TRY(stat_of(fd));
    if (info.st_dev != level.device || info.st_ino != level.inode) {
        return fail(Errc::io, "the tree was moved while it was removed");
    }
    level.fd = std::move(fd);
    return {};
}

/// Empties `dir`. An explicit stack, so that a hostile depth costs no stack of ours, and a bounded
/// number of descriptors.
Result<> empty_dir(Fd dir) {
    std::vector<Level> stack;
    stack.push_back(KNARR_TRY(enter_level(std::move(dir))));
    while (true) {
        Level& level = stack.back();
        if (level.names.empty()) {
            if (stack.size() == 1) {
                return {};
            }
            Level& parent = stack[stack.size() - 2];
            if (!parent.fd.valid()) {
                KNARR_TRY(reopen_level(parent, level.fd));
            }
            stack.pop_back();
            KNARR_TRY(unlink_at(parent.fd, parent.names.back(), AT_REMOVEDIR));
            parent.names.pop_back();
            continue;
        }
        const std::string& name = level.names.back();
        if (unlinkat(level.fd.get(), name.c_str(), 0) == 0 || errno == ENOENT) {
            level.names.pop_back();
            continue;
        }
        if (errno != EISDIR && errno != EPERM) {
            return fail_errno(errno, "unlink {}", printable(name));
        }
        Result<Fd> next = open_how(
            level.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_XDEV | RESOLVE_BENEATH);
        if (!next && next.error().sys_errno == ENOENT) {
            level.names.pop_back();
            continue;
        }
        Fd dir_below = KNARR_TRY(std::move(next));
        stack.push_back(KNARR_TRY(enter_level(std::move(dir_below))));
        if (stack.size() > kOpenLevels) {
            stack[stack.size() - 1 - kOpenLevels].fd.reset();
        }
    }
}

}  // namespace

Result<> remove_tree_at(const Fd& dir, const std::string& name) {
    if (unlinkat(dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) {
        return {};
    }
    if (errno != EISDIR && errno != EPERM) {
        return fail_errno(errno, "unlink {}", printable(name));
    }
    Result<Fd> tree =
        open_how(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_XDEV | RESOLVE_BENEATH);
    if (!tree && tree.error().sys_errno == ENOENT) {
        return {};
    }
    Fd found = KNARR_TRY(std::move(tree), "remove {}", printable(name));
    KNARR_TRY(empty_dir(std::move(found)), "remove {}", printable(name));
    return unlink_at(dir, name, AT_REMOVEDIR);
}

Result<FileLock> FileLock::acquire(const Fd& dir, const std::string& name, Kind kind) {
    Fd file = KNARR_TRY(open_at(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600), "lock");
    while (flock(file.get(), kind == Kind::shared ? LOCK_SH : LOCK_EX) != 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "lock {}", printable(name));
        }
    }
    return FileLock(std::move(file));
}

Result<std::optional<FileLock>> FileLock::try_acquire(const Fd& dir,
                                                      const std::string& name,
                                                      Kind kind) {
    Fd file = KNARR_TRY(open_at(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600), "lock");
    if (flock(file.get(), (kind == Kind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return std::nullopt;
        }
        return fail_errno(errno, "lock {}", printable(name));
    }
    return FileLock(std::move(file));
}

FileLock::~FileLock() {
    if (fd_.valid()) {
        flock(fd_.get(), LOCK_UN);
    }
}

std::string fd_path(const Fd& fd) {
    return fmt::format("/proc/self/fd/{}", fd.get());
}

}  // namespace knarr::sys
