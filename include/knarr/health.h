#pragma once
// Health checks: a program that is run in a container again and again, and what it says.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr {

/// What is done about a container that is found unhealthy.
enum class HealthAction : std::uint8_t {
    none,
    kill,     ///< by SIGKILL; its restart policy says whether it runs again
    restart,  ///< it is stopped and runs again, whatever its restart policy
    stop,     ///< as if somebody had stopped it
};
/// "none", "kill", "restart", "stop", as podman spells them.
std::string_view name_of(HealthAction action);
std::optional<HealthAction> parse_health_action(std::string_view text);

/// The health check of a container. Source: docker's HEALTHCHECK.
struct HealthCheck {
    std::vector<std::string> command = {};       ///< never empty
    std::chrono::milliseconds interval{};        ///< from the end of a probe to the next one
    std::chrono::milliseconds timeout{};         ///< a probe that takes longer is killed
    std::chrono::milliseconds start_period{};    ///< failures until then do not count
    std::chrono::milliseconds start_interval{};  ///< `interval` until then
    unsigned retries = 0;                        ///< so many failures in a row are unhealthy
    HealthAction on_failure = HealthAction::none;
    bool operator==(const HealthCheck&) const = default;
};

/// What a caller says of it; nothing or zero: as the image says, else the default.
struct HealthRequest {
    bool disabled = false;                  ///< there is none, whatever the image says
    std::optional<std::string> shell = {};  ///< a line for /bin/sh instead of the image's command
    std::optional<std::chrono::milliseconds> interval = {}, timeout = {}, start_period = {},
                                             start_interval = {};
    std::optional<unsigned> retries = {};
    HealthAction on_failure = HealthAction::none;
};

enum class HealthStatus : std::uint8_t { starting, healthy, unhealthy };
/// docker's words.
std::string_view name_of(HealthStatus status);

/// One probe.
struct ProbeResult {
    std::string start = {}, end = {};  ///< RFC 3339
    int exit_code = 0;                 ///< -1: it was killed at its timeout, or could not be run
    std::string output = {};           ///< its beginning, or why there is none
    bool operator==(const ProbeResult&) const = default;
};

/// How a container's health is, by its probes.
struct HealthReport {
    HealthCheck check = {};
    HealthStatus status = HealthStatus::starting;
    unsigned failing_streak = 0;
    std::vector<ProbeResult> log = {};  ///< the last ones, the oldest first
};

}  // namespace knarr
