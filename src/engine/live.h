#pragma once
// What a container's state really is: its record says what was last written, the kernel what is.

#include <optional>

#include "engine/record.h"
#include "platform/fd.h"

namespace knarr::engine {

struct Live {
    ContainerState state = ContainerState::stopped;
    sys::Fd process;  // the first process's pidfd; invalid when it has ended
};

/// Whether somebody is working on the container just now, or nobody is (we may be).
enum class Worker : std::uint8_t { none, other };

/// `creating` without a worker is the leftover of a killed create: stopped.
Result<Live> live_state(const Record& record, Worker worker);

/// Whether the container's cgroup is frozen. Without a freezer it is not.
bool is_frozen(const sys::CgroupPlan& cgroup);

/// A record as callers see it.
ContainerInfo describe(const Record& record, const Live& live);

}  // namespace knarr::engine
