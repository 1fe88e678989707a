#pragma once
// update: new limits of a container that exists, as cgroup texts in an order that the kernel takes.

#include <functional>

#include "runtime/native/cgroup_plan.h"

namespace knarr::runtime::native {

/// What holds now, where it decides what may be written, and when. Nothing: no such file.
struct LimitsInForce {
    std::optional<std::int64_t> memory;      // bytes; INT64_MAX: no limit
    std::optional<std::int64_t> memory_sum;  // v1: memory and swap together
    std::optional<std::int64_t> memory_used;
    std::optional<std::int64_t> quota;  // us, -1: none
    std::optional<std::int64_t> period, burst;
};

/// The text of a cgroup file by its controller; nothing where it is not there.
using ReadCgroupFile =
    std::function<std::optional<std::string>(const char* controller, const char* file)>;
LimitsInForce limits_in_force(const ReadCgroupFile& read, bool v2);

/// `wanted` with what only goes together, from `now`: a quota with its period, a sum of memory and
/// swap with its memory.
spec::Resources completed(spec::Resources wanted, const LimitsInForce& now);

/// The writes that bring `wanted` into force in the directories `where`; device rules are left
/// alone. What only goes together is completed from `now`: a quota with its period, a sum of memory
/// and swap with its memory. Two limits that bind each other are written in the order in which
/// neither contradicts the other on the way.
/// Errors: invalid_config when `wanted` contradicts itself or `now`; unsupported names the missing
/// controller; wrong_state when checkBeforeUpdate forbids a limit below what is used.
Result<sys::CgroupPlan> plan_update(spec::Resources wanted,
                                    const LimitsInForce& now,
                                    const sys::HostFacts& host,
                                    const sys::CgroupPlan& where,
                                    std::vector<std::string>& warnings);

}  // namespace knarr::runtime::native
