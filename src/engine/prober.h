#pragma once
// The monitor's part of a health check: when the next probe is due, and having it made (probe.h).

#include <cstdint>
#include <optional>

#include "engine/context.h"
#include "engine/ending.h"
#include "knarr/health.h"

namespace knarr::engine {

class Prober {
public:
    /// That run has begun, or is taken over. Errors: those of reading its record; then nothing is
    /// probed.
    Result<> begin(const Context& context, const RunOf& run);
    /// It has ended.
    void end() { check_.reset(); }

    /// Until the next probe; nothing: none is due.
    std::optional<std::int64_t> patience_ms() const;
    /// Has a probe made where one is due. Errors: those of starting a process; it is due again
    /// after the pause.
    Result<> work(const Context& context, const std::string& root);
    /// Whether a child of ours that has ended was a probe.
    bool took(const Context& context, pid_t child);

private:
    void rest(const Context& context);

    std::optional<RunOf> run_;
    std::optional<HealthCheck> check_;
    std::int64_t started_ms_ = 0;  // the run, of steady_ms()
    std::int64_t due_ms_ = 0;
    pid_t at_work_ = 0;
};

}  // namespace knarr::engine
