#pragma once
// What happened to containers of images, as it is told and kept.

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "knarr/result.h"

namespace knarr {

struct LifecycleEvent {
    std::string time = {};    ///< RFC 3339 in UTC with nanoseconds
    std::string action = {};  ///< docker's word: "create", "start", "die", ...
    std::string id = {};      ///< the container's
    /// "image", "name" where there is one, and what belongs to the action ("exitCode").
    std::map<std::string, std::string> attributes = {};
    /// Not 0: no event, but so many that were dropped before this reader came to them.
    std::uint64_t lost = 0;
};

struct EventRequest {
    std::string since = {};  ///< RFC 3339 with nanoseconds, inclusive; empty: from now on
    std::string until = {};  ///< the same; empty: for ever
    int cancel_fd = -1;      ///< a descriptor that becomes readable when it is to end; -1: none
};
/// Failing ends the reading.
using EventSink = std::function<Result<>(const LifecycleEvent&)>;

}  // namespace knarr
