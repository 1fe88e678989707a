#pragma once
// The options of `run` and `create` that say how a container's health is checked.

#include <array>

#include "cli/verb.h"
#include "knarr/health.h"

namespace knarr::cli {

/// Errors: invalid_argument naming the option.
Result<HealthRequest> parse_health(const Parsed& args);

inline constexpr std::array kHealthOptions{
    Option{.name = "health-cmd",
           .value = "COMMAND",
           .help = "a line for the container's /bin/sh that fails when it is not well",
           .fallback = "the image's HEALTHCHECK"},
    Option{.name = "health-interval",
           .value = "TIME",
           .help = "from one probe to the next",
           .fallback = "the image's, else 30s"},
    Option{.name = "health-timeout",
           .value = "TIME",
           .help = "a probe that takes longer is killed and has failed",
           .fallback = "the image's, else 30s"},
    Option{.name = "health-retries",
           .value = "N",
           .help = "unhealthy after so many failures in a row",
           .fallback = "the image's, else 3"},
    Option{.name = "health-start-period",
           .value = "TIME",
           .help = "failures do not count until then, or the first success",
           .fallback = "the image's, else 0s"},
    Option{.name = "health-start-interval",
           .value = "TIME",
           .help = "from one probe to the next in the start period",
           .fallback = "the image's, else 5s"},
    Option{.name = "health-on-failure",
           .value = "ACTION",
           .help = "of an unhealthy one: none, kill (and as --restart says), restart or stop",
           .fallback = "none"},
    Option{.name = "no-healthcheck", .help = "leave the image's HEALTHCHECK out"},
};

}  // namespace knarr::cli
