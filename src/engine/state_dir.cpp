#include "engine/state_dir.h"

#include <cerrno>
#include <chrono>
#include <optional>

#include "core/limits.h"
#include "core/text.h"
#include "platform/disk.h"
#include "platform/patience.h"
#include "platform/pidfd.h"
#include "platform/task.h"
#include "store/store.h"

namespace knarr::engine {

namespace {
constexpr const char* kLockFile = "lock";
constexpr const char* kRootLock = ".lock";
constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

bool same_file(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Tries the lock again and again within `wait`: the holder is at work, or it was killed and its
/// unfinished child is just ending itself.
Result<std::optional<sys::FileLock>> lock_within(const sys::Fd& dir, std::chrono::seconds wait) {
    sys::Patience patience(wait);
    while (true) {
        auto lock =
            KNARR_TRY(sys::FileLock::try_acquire(dir, kLockFile, sys::FileLock::Kind::exclusive));
        if (lock || !patience.rest()) {
            return lock;
        }
    }
}
}  // namespace

std::unexpected<Error> no_such_container(const ContainerId& id) {
    // runc's words, and docker's, which the callers of both look for.
    return fail(
        Errc::not_found, "container {0} does not exist (No such container: {0})", id.text());
}

Result<StateRoot> StateRoot::open(const std::string& path) {
    const std::string absolute = KNARR_TRY(sys::absolute(path), "state directory");
    Result<sys::Fd> dir = store::open_own_place(
        {.what = "state directory", .option = "--root DIR or KNARR_ROOT", .path = absolute});
    if (!dir && !dir.error().hint.empty()) {
        return fail(std::move(dir).error());  // it says what to do
    }
    if (!dir) {
        return fail(std::move(dir)
                        .error()
                        .within("state directory")
                        .advise("choose another one with --root DIR or KNARR_ROOT"));
    }
    const auto stat = KNARR_TRY(sys::stat_of(*dir), "state directory {}", path);
    // Callers of runc hand over directories of 0711 and 0755; each container's own is 0700. What
    // must not be is that somebody else can put a container there.
    if (stat.st_uid != sys::effective_uid() || (stat.st_mode & 022) != 0) {
        auto refused =
            fail(Errc::denied,
                 "state directory {}: owner {} and mode {:04o}; it must belong to {} and "
                 "be writable by nobody else",
                 printable(path),
                 stat.st_uid,
                 stat.st_mode & 07777,
                 sys::effective_uid());
        return fail(
            std::move(refused).error().advise("what is in it decides which processes are "
                                              "signalled: chown and chmod 700 it, or choose "
                                              "another one with --root DIR"));
    }
    return StateRoot(path, std::move(*dir));
}

Result<std::optional<LockedDir>> StateRoot::make_fresh(const ContainerId& id) const {
    const auto root_lock =
        KNARR_TRY(sys::FileLock::acquire(dir_, kRootLock, sys::FileLock::Kind::exclusive),
                  "state directory {}",
                  path_);
    if (KNARR_TRY(sys::stat_at(dir_, id.text()))) {
        return std::nullopt;
    }
    // Counted before anything is made, under the lock: concurrent creates cannot pass it together.
    if (KNARR_TRY(ids()).size() >= kMaxContainers) {
        auto full = fail(Errc::limit_exceeded,
                         "there are {} containers in {} already, the most that knarr keeps",
                         kMaxContainers,
                         path_);
        return fail(std::move(full).error().advise("delete some first (knarr list)"));
    }
    KNARR_TRY(sys::make_dir_at(dir_, id.text(), 0700), "container {}", id.text());
    Result<sys::Fd> dir = sys::open_at(dir_, id.text(), kDirFlags);
    // Whoever has it takes what we just made for a killed create's, and waits for our other lock.
    auto lock = dir ? sys::FileLock::try_acquire(*dir, kLockFile, sys::FileLock::Kind::exclusive)
                    : fail(dir.error());
    if (!lock) {
        // Without room for its lock nobody could remove it.
        static_cast<void>(sys::unlink_at(dir_, id.text(), AT_REMOVEDIR));
        return fail(std::move(lock).error().within("container " + id.text()));
    }
    if (!*lock) {
        return std::nullopt;
    }
    return LockedDir(id.text(), std::move(*dir), std::move(**lock));
}

Result<LockedDir> StateRoot::make(const ContainerId& id,
                                  const CleanLeftover& clean_leftover) const {
    while (true) {
        if (auto made = KNARR_TRY(make_fresh(id))) {
            return std::move(*made);
        }
        Result<LockedDir> found = lock_for(id, std::chrono::seconds(1));
        if (!found && found.error().code == Errc::not_found) {
            continue;  // removed in between
        }
        if (!found && found.error().code != Errc::wrong_state) {
            return found;
        }
        if (!found || !KNARR_TRY(clean_leftover(*found))) {
            auto taken = fail(Errc::already_exists, "container {} exists already", id.text());
            return fail(std::move(taken).error().advise("choose another ID, or delete it first"));
        }
        KNARR_TRY(remove(std::move(*found)));
    }
}

Result<LockedDir> StateRoot::lock(const ContainerId& id) const {
    return lock_for(id, std::chrono::seconds(limits::kLockWaitSeconds));
}

Result<LockedDir> StateRoot::lock_for(const ContainerId& id, std::chrono::seconds wait) const {
    while (true) {
        sys::Fd dir = KNARR_TRY(open_dir(id));
        Result<std::optional<sys::FileLock>> lock = lock_within(dir, wait);
        if (!lock && lock.error().sys_errno == ENOENT) {
            return no_such_container(id);  // removed while we looked
        }
        if (!lock) {
            return fail(std::move(lock).error().within("container " + id.text()));
        }
        if (!*lock) {
            return fail(Errc::wrong_state,
                        "another knarr is working on container {} and has not finished in {} s",
                        id.text(),
                        wait.count());
        }
        // Somebody may have removed it, and even made it anew, while we waited for the lock.
        const auto ours = KNARR_TRY(sys::stat_of(dir));
        const auto named = KNARR_TRY(sys::stat_at(dir_, id.text()));
        if (!named) {
            return no_such_container(id);
        }
        if (same_file(ours, *named)) {
            return LockedDir(id.text(), std::move(dir), std::move(**lock));
        }
    }
}

Result<sys::Fd> StateRoot::open_dir(const ContainerId& id) const {
    Result<sys::Fd> dir = sys::open_at(dir_, id.text(), kDirFlags);
    if (!dir && dir.error().sys_errno == ENOENT) {
        return no_such_container(id);
    }
    return dir;
}

Result<bool> StateRoot::is_locked(const sys::Fd& dir) const {
    const auto ours = sys::FileLock::try_acquire(dir, kLockFile, sys::FileLock::Kind::shared);
    if (!ours && ours.error().sys_errno == ENOSPC) {
        return false;  // the lock is not there, and cannot be made by anybody
    }
    return ours ? Result<bool>(!ours->has_value()) : fail(ours.error());
}

Result<std::vector<std::string>> StateRoot::ids() const {
    std::vector<std::string> found = KNARR_TRY(sys::list_dir(dir_), "state directory {}", path_);
    std::erase_if(found, [](const std::string& name) { return !ContainerId::parse(name); });
    return found;
}

Result<> StateRoot::remove(LockedDir dir) const {
    const auto root_lock =
        KNARR_TRY(sys::FileLock::acquire(dir_, kRootLock, sys::FileLock::Kind::exclusive),
                  "state directory {}",
                  path_);
    // Whoever waits for the lock makes its file anew when we have just removed it.
    sys::Patience patience{std::chrono::seconds(1)};
    Result<> gone = sys::remove_tree_at(dir_, dir.id());
    while (!gone && gone.error().sys_errno == ENOTEMPTY && patience.rest()) {
        gone = sys::remove_tree_at(dir_, dir.id());
    }
    KNARR_TRY(std::move(gone), "container {}", dir.id());
    return {};
}

}  // namespace knarr::engine
