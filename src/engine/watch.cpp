#include "engine/watch.h"

namespace knarr::engine {

namespace {
using Event = WatchEvent::Kind;
using Effect = WatchEffect::Kind;
}  // namespace

std::vector<WatchEffect> Watch::end_with(std::optional<int> code) {
    phase_ = WatchPhase::draining;
    code_ = code;
    return {{.kind = Effect::drain}};
}

std::vector<WatchEffect> Watch::step(const WatchEvent& event) {
    if (event.kind == Event::removed && phase_ != WatchPhase::done) {
        phase_ = WatchPhase::done;
        return {{.kind = Effect::leave}};
    }
    switch (phase_) {
        case WatchPhase::launching:
            if (event.kind == Event::ended) {
                early_[event.pid] = event.code;
            } else if (event.kind == Event::launched) {
                phase_ = WatchPhase::running;
                pid_ = event.pid;
                const auto early = early_.find(event.pid);
                if (early != early_.end()) {
                    return end_with(early->second);
                }
            } else if (event.kind == Event::launch_failed) {
                phase_ = WatchPhase::done;
                return {{.kind = Effect::leave}};
            } else if (event.kind == Event::launch_killed) {
                phase_ = WatchPhase::concluding;
                return {{.kind = Effect::clear}};
            } else if (event.kind == Event::to_restart) {
                phase_ = WatchPhase::resting;
                return {{.kind = Effect::rest}};
            }
            return {};
        case WatchPhase::running:
            if (event.kind == Event::ended && event.pid == pid_) {
                return end_with(event.code);
            }
            return {};
        case WatchPhase::draining:
            if (event.kind == Event::drained) {
                phase_ = WatchPhase::concluding;
                return {{.kind = Effect::conclude, .code = code_}};
            }
            return {};
        case WatchPhase::concluding:
            if (event.kind == Event::concluded) {
                phase_ = WatchPhase::done;
                return {{.kind = Effect::leave}};
            }
            if (event.kind == Event::to_restart) {
                phase_ = WatchPhase::resting;
                return {{.kind = Effect::rest}};
            }
            return {};
        case WatchPhase::resting:
            if (event.kind == Event::due) {
                phase_ = WatchPhase::relaunching;
                return {{.kind = Effect::relaunch}};
            }
            return {};
        case WatchPhase::relaunching:
            if (event.kind == Event::attempted) {
                *this = Watch();
                return {{.kind = Effect::look}};
            }
            return {};
        case WatchPhase::done:
            return {};
    }
    return {};
}

}  // namespace knarr::engine
