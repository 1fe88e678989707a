#pragma once
// A child's pid, told to the parent by the kernel itself, whoever clones and whatever becomes of
// that one: a process that is cloned for its parent (CLONE_PARENT) and killed right afterwards
// leaves a child that nobody else has heard of.

#include <sys/types.h>

#include "platform/pages.h"

namespace knarr::sys {

/// Memory that is shared with the processes that are cloned while it lives. Source: clone(2),
/// CLONE_PARENT_SETTID.
class ToldPid {
public:
    /// Errors: sys_errno ENOMEM.
    static Result<ToldPid> make();
    ToldPid() = default;

    /// For clone_process().
    pid_t* place() const;
    /// 0: no child was made.
    pid_t pid() const;

private:
    explicit ToldPid(Pages memory) : memory_(std::move(memory)) {}
    Pages memory_;
};

}  // namespace knarr::sys
