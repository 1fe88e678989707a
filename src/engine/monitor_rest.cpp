#include "engine/monitor_rest.h"

#include <algorithm>

#include "core/clock.h"
#include "engine/live.h"
#include "engine/rerun.h"
#include "engine/restart.h"

namespace knarr::engine {

void MonitorRest::begin(const Context& context, const ContainerId& id) {
    Result<sys::DirWatch> changes = sys::DirWatch::open();
    if (changes && changes->add(path_of(context, id.text()))) {
        changes_ = std::move(*changes);
    }
}

std::optional<WatchEvent::Kind> MonitorRest::look(const Context& context, const ContainerId& id) {
    if (changes_) {
        changes_->clear();
    }
    const auto due = due_of(context, id);
    if (due && steady_ms() < *due) {
        due_ = *due;
        return std::nullopt;
    }
    changes_.reset();
    return due ? WatchEvent::Kind::due : WatchEvent::Kind::removed;
}

int MonitorRest::patience_ms(int blind_ms) const {
    const std::int64_t left = std::max<std::int64_t>(due_ - steady_ms(), 0);
    return static_cast<int>(std::min<std::int64_t>(left, changes_ ? INT32_MAX : blind_ms));
}

}  // namespace knarr::engine
