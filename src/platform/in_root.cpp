// Making paths inside a hostile root, where openat2 alone cannot help: the part that is missing.

#include <cerrno>
#include <deque>
#include <optional>

#include <linux/openat2.h>

#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"

namespace knarr::sys {

namespace {

constexpr int kHere = O_PATH | O_NOFOLLOW;
// Every component is opened by itself and may not be a link: links are read and walked here.
constexpr std::uint64_t kNoLinks = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

/// Walks a path as if `root` were "/", making what is missing.
class Walk {
public:
    Walk(const Fd& root, std::string_view path, mode_t dir_mode)
        : root_(root), path_(path), dir_mode_(dir_mode) {
        push_front(path);
    }

    /// Opens (making it where missing) everything but a last component that is to be a file.
    Result<Fd> run(bool last_is_file, mode_t file_mode) {
        Fd here = KNARR_TRY(open_at(root_, ".", O_PATH | O_DIRECTORY));
        while (!todo_.empty()) {
            const std::string part = std::move(todo_.front());
            todo_.pop_front();
            if (part == "..") {
                if (!done_.empty()) {
                    done_.pop_back();
                }
                here = KNARR_TRY(reopen());
                continue;
            }
            Result<Fd> next = open_how(here, part, kHere, kNoLinks);
            if (next) {
                const struct stat entry = KNARR_TRY(stat_of(*next));
                if (S_ISLNK(entry.st_mode)) {
                    here = KNARR_TRY(follow(*next, std::move(here)));
                    continue;
                }
            } else if (next.error().sys_errno == ENOENT) {
                next = make(here, part, last_is_file && todo_.empty(), file_mode);
            } else if (next.error().sys_errno == ELOOP) {
                // O_PATH|O_NOFOLLOW with RESOLVE_NO_SYMLINKS: older kernels refuse the link itself.
                const Fd link = KNARR_TRY(open_at(here, part, kHere));
                here = KNARR_TRY(follow(link, std::move(here)));
                continue;
            }
            here = KNARR_TRY(std::move(next), "make {} in the root", printable(path_));
            done_.push_back(part);
        }
        return here;
    }

private:
    void push_front(std::string_view path) {
        const auto parts = split(path, '/');
        for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
            if (!part->empty() && *part != ".") {
                todo_.emplace_front(*part);
            }
        }
    }

    Result<Fd> follow(const Fd& link, Fd here) {
        if (++links_ > limits::kMaxSymlinkDepth) {
            return fail_errno(ELOOP, "make {} in the root", printable(path_));
        }
        const std::string target = KNARR_TRY(read_link_at(link, ""));
        push_front(target);
        if (!target.starts_with('/')) {
            return here;
        }
        done_.clear();
        return reopen();
    }

    /// The directory of the components done so far, which are no links.
    Result<Fd> reopen() {
        std::string path = ".";
        for (const std::string& part : done_) {
            path += "/" + part;
        }
        return open_how(root_, path, O_PATH | O_DIRECTORY, kNoLinks);
    }

    Result<Fd> make(const Fd& here, const std::string& part, bool file, mode_t file_mode) {
        if (file) {
            // O_EXCL: what somebody put there in between is not ours to open.
            KNARR_TRY(open_at(here, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, file_mode));
        } else if (mkdirat(here.get(), part.c_str(), dir_mode_) != 0 && errno != EEXIST) {
            return fail_errno(errno, "mkdir {}", printable(part));
        }
        return open_how(here, part, file ? kHere : kHere | O_DIRECTORY, kNoLinks);
    }

    const Fd& root_;
    std::string_view path_;
    mode_t dir_mode_;
    std::deque<std::string> todo_;
    std::deque<std::string> done_;
    int links_ = 0;
};

/// The usual case, without a walk: only the last component is missing. The kernel resolves what is
/// above it in the root, and what is there already, a link too, is left to the walk.
std::optional<Fd> make_last(const Fd& root, std::string_view path, mode_t mode) {
    const std::size_t end = path.find_last_not_of('/');
    const std::size_t slash = path.rfind('/', end);
    if (end == std::string_view::npos || slash == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string last(path.substr(slash + 1, end - slash));
    if (last == "." || last == "..") {
        return std::nullopt;
    }
    const Result<Fd> parent = open_in_root(root, path.substr(0, slash + 1), O_PATH | O_DIRECTORY);
    if (!parent || mkdirat(parent->get(), last.c_str(), mode) != 0) {
        return std::nullopt;
    }
    Result<Fd> made = open_how(*parent, last, kHere | O_DIRECTORY, kNoLinks);
    return made ? std::optional(std::move(*made)) : std::nullopt;
}

}  // namespace

Result<Fd> make_dirs_in_root(const Fd& root, std::string_view path, mode_t mode) {
    Result<Fd> whole = open_in_root(root, path, O_PATH | O_DIRECTORY);
    if (whole || whole.error().sys_errno != ENOENT) {
        return whole;
    }
    if (std::optional<Fd> made = make_last(root, path, mode)) {
        return std::move(*made);
    }
    return Walk(root, path, mode).run(false, 0);
}

Result<Fd> make_file_in_root(const Fd& root, std::string_view path, mode_t mode) {
    Result<Fd> whole = open_in_root(root, path, O_PATH);
    if (whole || whole.error().sys_errno != ENOENT) {
        return whole;
    }
    return Walk(root, path, 0755).run(true, mode);
}

}  // namespace knarr::sys
