#pragma once
// Health checks: what is checked, what a probe's result makes of a container's health, and when the
// next one is due. All but load_health() is pure. probe.h makes a probe, prober.h has them made.
//
// ROOT/ID/health.json has the health of one run of a container, written after each probe.
// Source: docker's container/health.go and daemon/health.go, for the rules and the defaults.

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "knarr/health.h"
#include "knarr/result.h"
#include "platform/fd.h"
#include "spec/image.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

inline constexpr const char* kHealthFile = "health.json";
inline constexpr std::size_t kMaxProbeOutputBytes = 4096, kMaxProbeLog = 5;

/// What the image and the caller say together; nothing: no health check.
/// Errors: invalid_image naming the image's member.
Result<std::optional<HealthCheck>> choose_health_check(const HealthRequest& request,
                                                       const spec::ImageHealthcheck* image);

/// The health of one run, whose process these name.
struct HealthState {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
    HealthStatus status = HealthStatus::starting;
    unsigned failing_streak = 0;
    std::vector<ProbeResult> log;
};

/// Takes in a probe that ended `run_ms` after the run's beginning.
void step(HealthState& state, const HealthCheck& check, ProbeResult result, std::int64_t run_ms);

/// From the end of a probe, or the beginning of the run, to the next probe; `run_ms` after that
/// beginning.
std::int64_t probe_pause_ms(const HealthCheck& check, HealthStatus status, std::int64_t run_ms);

std::string encode_health(const HealthState& state);
/// Errors: corrupt.
Result<HealthState> decode_health(std::string_view json);

/// Of that run; that of another run, or none, is a new one. What cannot be understood counts as
/// none: the next probe writes it anew.
HealthState load_health(const sys::Fd& dir, pid_t pid, std::uint64_t start_ticks);

/// As a member of a container's record. Nothing is written for no check.
void write_health_check(spec::JsonWriter& json, const std::optional<HealthCheck>& check);
/// Errors: corrupt.
Result<> read_health_check(const spec::JsonValue& life, std::optional<HealthCheck>& out);

}  // namespace knarr::engine
