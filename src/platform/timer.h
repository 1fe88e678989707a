#pragma once
// A clock that can be waited for beside other descriptors.

#include <chrono>

#include "platform/fd.h"

namespace knarr::sys {

/// Readable once `after` is over; set_timer() sets it anew. Source: timerfd_create(2).
Result<Fd> make_timer(std::chrono::milliseconds after);
/// `after` is at least 1 ms. What has come and was not read is forgotten.
Result<> set_timer(const Fd& timer, std::chrono::milliseconds after);

}  // namespace knarr::sys
