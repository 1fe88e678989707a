#pragma once
// The parent's side of a clone through a middle process: that one enters namespaces, which the
// parent must not, and makes the child as one of the parent's (CLONE_PARENT).

#include "platform/process.h"
#include "platform/told_pid.h"

namespace knarr::runtime {

/// Waits until the middle process has told of the child, and reaps it. Where there will be no
/// launch, the child is ended, also one of which the middle process could not tell any more.
/// `told` is what the child was cloned with. Errors: those of the two; interrupted where the middle
/// process was killed.
Result<sys::Clone> await_child_of(const sys::Clone& middle,
                                  const sys::Fd& socket,
                                  const sys::ToldPid& told);

}  // namespace knarr::runtime
