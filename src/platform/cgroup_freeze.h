#pragma once
// Freezing a cgroup: v1's freezer, v2's cgroup.freeze.
// Source: kernel cgroup-v1/freezer-subsystem.rst; cgroup-v2.rst, "cgroup.freeze".

#include "platform/cgroup.h"

namespace knarr::sys {

/// Whether every process of the cgroup stands still, or is about to, by its own freezer or by one
/// above it. Without a freezer it does not.
bool is_frozen(const CgroupPlan& plan);

/// Freezes the cgroup and waits, for a bounded time, until all of it stands still; else it is
/// thawed again.
/// Errors: unsupported when no directory of the plan can freeze; timed_out.
Result<> freeze_cgroup(const CgroupPlan& plan);

/// Thaws the cgroup and waits until it runs. Cgroups below it that were frozen by themselves stay
/// frozen. Errors: as freeze_cgroup; wrong_state when a cgroup above it is frozen.
Result<> thaw_cgroup(const CgroupPlan& plan);

}  // namespace knarr::sys
