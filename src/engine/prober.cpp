#include "engine/prober.h"

#include <algorithm>

#include "core/clock.h"
#include "engine/health.h"
#include "engine/live.h"
#include "engine/monitor_start.h"
#include "engine/probe.h"
#include "engine/restart.h"

namespace knarr::engine {

Result<> Prober::begin(const Context& context, const RunOf& run) {
    run_ = run;
    check_.reset();
    const sys::Fd dir = KNARR_TRY(context.root.open_dir(run.id), "health check");
    const auto record =
        KNARR_TRY(load_record(dir, path_of(context, run.id.text())), "health check");
    if (!record || !record->life) {
        return {};
    }
    check_ = record->life->health;
    started_ms_ = record->life->restart.started_ms;
    if (check_) {
        rest(context);
    }
    return {};
}

void Prober::rest(const Context& context) {
    const std::int64_t now = steady_ms();
    HealthStatus status = HealthStatus::starting;
    if (const auto dir = context.root.open_dir(run_->id)) {
        status = load_health(*dir, run_->pid, run_->start_ticks).status;
    }
    due_ms_ = now + probe_pause_ms(*check_, status, now - started_ms_);
}

std::optional<std::int64_t> Prober::patience_ms() const {
    if (!check_ || at_work_ != 0) {
        return std::nullopt;
    }
    return std::max<std::int64_t>(due_ms_ - steady_ms(), 0);
}

Result<> Prober::work(const Context& context, const std::string& root) {
    if (patience_ms() != 0) {
        return {};
    }
    due_ms_ = steady_ms() + check_->interval.count();
    at_work_ =
        KNARR_TRY(start_own_program({kProbeWord, root, run_->id.text()}, context.monitor_log),
                  "health check");
    return {};
}

bool Prober::took(const Context& context, pid_t child) {
    if (at_work_ == 0 || child != at_work_) {
        return false;
    }
    at_work_ = 0;
    if (check_) {
        rest(context);
    }
    return true;
}

}  // namespace knarr::engine
