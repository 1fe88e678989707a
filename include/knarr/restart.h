#pragma once
// When a container of an image runs again by itself.

#include <cstdint>
#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr {

enum class RestartMode : std::uint8_t {
    no,
    on_failure,      ///< when its exit code is not 0
    always,          ///< also at boot after somebody stopped it
    unless_stopped,  ///< always, but not at boot when somebody has stopped it
};

struct RestartPolicy {
    RestartMode mode = RestartMode::no;
    unsigned max_retries = 0;  ///< of on_failure; 0: no bound
    bool operator==(const RestartPolicy&) const = default;
};

/// "no", "on-failure", "always", "unless-stopped", as docker and podman spell them.
std::string_view name_of(RestartMode mode);
/// "on-failure:3" and the names alone; empty is "no". Errors: invalid_argument.
Result<RestartPolicy> parse_restart_policy(std::string_view text);

}  // namespace knarr
