#pragma once
// What a container's state really is: its record says what was last written, the kernel what is.

#include <optional>

#include "engine/context.h"
#include "engine/record.h"
#include "platform/fd.h"

namespace knarr::engine {

struct Live {
    ContainerState state = ContainerState::stopped;
    sys::Fd process;  // the first process's pidfd; invalid when it has ended
};

/// Whether its process has ended, and those who watch it have still to put that down.
bool is_end_untold(const Record& record, const Live& live);

/// Whether somebody is working on the container just now, or nobody is (we may be).
enum class LockHolder : std::uint8_t { none, other };

/// `creating` without one is the leftover of a killed create: stopped.
Result<Live> live_state(const Record& record, LockHolder holder);

/// A container as it was found, without a lock: it may move on at once.
struct Seen {
    Record record;
    Live live;
};
/// Nothing when it is just being made or removed. Errors: not_found, corrupt.
Result<std::optional<Seen>> look(const Context& context, const ContainerId& id);
/// The same; a container that is just being made or removed is not_found, too.
Result<Seen> look_at(const Context& context, const ContainerId& id);

/// The same for whoever works on the container: nobody else does while `dir` lives.
struct Held {
    LockedDir dir;
    Record record;
    Live live;
};
/// Errors: as StateRoot::lock; not_found.
Result<Held> hold(const Context& context, const ContainerId& id);

/// Whether its state directory is gone.
bool is_removed(const Context& context, const ContainerId& id);

/// Where the container's directory is, for messages.
std::string path_of(const Context& context, const std::string& id);

/// A record as callers see it.
ContainerInfo describe(const Record& record, const Live& live);

}  // namespace knarr::engine
