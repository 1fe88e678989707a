#pragma once
// The state directory: ROOT/ID/ per container, each with
//   state.json  the record (record.h)
//   lock        flock: its holder is the one process that is working on the container
//   gate        the socket behind which a created container waits
//   monitor, trouble, stdout, stderr, *.spool, log.in, log.at of one in the background: monitor.h
//   and
//               log_store.h
// ROOT/.names/ has a link for each name (names.h).
// ROOT/.lock guards making and removing the directories themselves: it makes the count of
// containers exact. Whoever holds it waits for no container's lock.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "knarr/types.h"
#include "platform/file.h"

namespace knarr::engine {

inline constexpr const char* kRecordFile = "state.json";
inline constexpr const char* kGateSocket = "gate";
inline constexpr std::uint64_t kMaxContainers = 1024;

/// What is said of a container that is not there.
std::unexpected<Error> no_such_container(const ContainerId& id);

/// One container's directory and the right to work on it, held while the value lives.
class LockedDir {
public:
    const sys::Fd& fd() const { return dir_; }
    const std::string& id() const { return id_; }
    /// The open file that carries the lock: a child that keeps it keeps the lock.
    const sys::Fd& lock_fd() const { return lock_.fd(); }

private:
    friend class StateRoot;
    LockedDir(std::string id, sys::Fd dir, sys::FileLock lock)
        : id_(std::move(id)), dir_(std::move(dir)), lock_(std::move(lock)) {}
    std::string id_;
    sys::Fd dir_;
    sys::FileLock lock_;
};

class StateRoot {
public:
    /// Makes the directory 0700 if it is missing and opens it.
    /// Errors: denied when another user owns it or others may write it.
    static Result<StateRoot> open(const std::string& path);

    const std::string& path() const { return path_; }
    const sys::Fd& fd() const { return dir_; }

    /// Whether what a locked directory holds is the leftover of a killed create, which may be
    /// removed; called before that, it removes what is outside of the directory.
    using CleanLeftover = std::function<Result<bool>(const LockedDir&)>;
    /// Makes and locks ID's directory, taking the place of a leftover.
    /// Errors: already_exists; limit_exceeded at kMaxContainers, before anything is made.
    Result<LockedDir> make(const ContainerId& id, const CleanLeftover& clean_leftover) const;

    /// Locks an existing container, waiting a bounded time for whoever works on it.
    /// Errors: not_found; wrong_state when somebody else still holds it.
    Result<LockedDir> lock(const ContainerId& id) const;
    /// Opens a container's directory to read. Errors: not_found.
    Result<sys::Fd> open_dir(const ContainerId& id) const;
    /// Whether somebody works on the container just now.
    Result<bool> is_locked(const sys::Fd& dir) const;
    /// The IDs there are, sorted.
    Result<std::vector<std::string>> ids() const;
    /// Removes a container's directory; from here on the ID is free.
    Result<> remove(LockedDir dir) const;

private:
    StateRoot(std::string path, sys::Fd dir) : path_(std::move(path)), dir_(std::move(dir)) {}
    /// Nothing when the directory is there already, or somebody takes ours for a leftover.
    Result<std::optional<LockedDir>> make_fresh(const ContainerId& id) const;
    Result<LockedDir> lock_for(const ContainerId& id, std::chrono::seconds wait) const;

    std::string path_;
    sys::Fd dir_;
};

}  // namespace knarr::engine
