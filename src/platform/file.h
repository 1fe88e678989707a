#pragma once
// Files and directories, always relative to a directory's descriptor. O_CLOEXEC is always added.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "platform/fd.h"

namespace knarr::sys {

/// openat(2). `path` may be absolute; for paths of the operator, never of an image.
Result<Fd> open_at(const Fd& dir, const std::string& path, int flags, mode_t mode = 0);
/// open(2) on an operator's path.
Result<Fd> open_path(const std::string& path, int flags, mode_t mode = 0);

/// openat2(2). `resolve` are RESOLVE_* flags.
/// Errors: EXDEV or ELOOP mean that the path leaves the root or meets a forbidden link.
Result<Fd> open_how(const Fd& dir,
                    const std::string& path,
                    std::uint64_t flags,
                    std::uint64_t resolve,
                    mode_t mode = 0);
/// Opens a hostile path as if `root` were "/": links and ".." cannot leave it, magic links are
/// refused. Source: openat2(2) RESOLVE_IN_ROOT.
Result<Fd> open_in_root(const Fd& root, std::string_view path, int flags);
/// Makes the missing directories of a hostile path inside `root`, each by fd, and opens the last
/// one O_PATH. Links are followed inside the root, dangling ones too: what they name is made.
/// Errors: ENOTDIR when a component is a file, ELOOP past limits::kMaxSymlinkDepth links.
Result<Fd> make_dirs_in_root(const Fd& root, std::string_view path, mode_t mode);
/// The same with a file at the end: the existing one (of any type), or a new empty regular one.
Result<Fd> make_file_in_root(const Fd& root, std::string_view path, mode_t mode);

/// Makes a directory and its parents on an operator's path and opens it.
Result<Fd> make_dirs(const std::string& path, mode_t mode);

Result<struct stat> stat_of(const Fd& fd);
/// fstatat with AT_SYMLINK_NOFOLLOW; nothing when there is no such entry.
Result<std::optional<struct stat>> stat_at(const Fd& dir, const std::string& name);
Result<std::string> read_link_at(const Fd& dir, const std::string& name);

/// The names in a directory without "." and "..", sorted.
Result<std::vector<std::string>> list_dir(const Fd& dir);

/// Reads a whole small file. Errors: limit_exceeded past `max`; sys_errno ENOENT when not there.
Result<std::string> read_file_at(const Fd& dir, const std::string& path, std::size_t max);
Result<std::string> read_file(const std::string& path, std::size_t max);

/// One open, one write: for /proc, /sys and cgroup files.
Result<> write_file_at(const Fd& dir, const std::string& path, std::string_view text);
/// A file with that text, made or emptied before. Without fsync, and a reader may see a part of it:
/// for what nobody reads yet and need not survive a crash.
Result<> make_file_at(const Fd& dir, const std::string& name, std::string_view text, mode_t mode);

/// How far a replaced file is secured against power loss.
enum class Sync : std::uint8_t {
    file,                ///< its content; enough where nothing need survive a reboot
    file_and_directory,  ///< its content and its name
};
/// Replaces a file so that a reader or a crash sees the old or the new text, never a part: a
/// temporary file in `dir`, fsync, rename, and fsync of `dir` where asked for.
Result<> replace_file(const Fd& dir,
                      const std::string& name,
                      std::string_view text,
                      mode_t mode,
                      Sync sync = Sync::file_and_directory);

/// Removes `name` and everything below it, by fd, without following links or leaving its file
/// system. Absence is success, also of what another process removes at the same time.
Result<> remove_tree_at(const Fd& dir, const std::string& name);
/// mkdirat. Errors: sys_errno EEXIST.
Result<> make_dir_at(const Fd& dir, const std::string& name, mode_t mode);
/// unlinkat; absence is success.
Result<> unlink_at(const Fd& dir, const std::string& name, int flags = 0);

/// An advisory lock (flock) held while the value lives. The destructor unlocks rather than only
/// closes: a child made without exec still has the open file.
class FileLock {
public:
    FileLock(FileLock&&) noexcept = default;
    FileLock& operator=(FileLock&&) = delete;
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock();

    enum class Kind { shared, exclusive };
    /// Blocks until the lock is held.
    static Result<FileLock> acquire(const Fd& dir, const std::string& name, Kind kind);
    /// Nothing when somebody else holds it.
    static Result<std::optional<FileLock>> try_acquire(const Fd& dir,
                                                       const std::string& name,
                                                       Kind kind);

    const Fd& fd() const { return fd_; }

private:
    explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

/// "/proc/self/fd/N", for calls that only take paths.
std::string fd_path(const Fd& fd);

}  // namespace knarr::sys
