#include "engine/restart.h"

#include <algorithm>
#include <array>

#include "core/clock.h"
#include "core/text.h"

namespace knarr {

namespace {
constexpr std::array<std::string_view, 4> kModes{"no", "on-failure", "always", "unless-stopped"};
constexpr unsigned kMaxRetries = 1'000'000;
}  // namespace

std::string_view name_of(RestartMode mode) {
    return kModes[static_cast<std::size_t>(mode)];
}

Result<RestartPolicy> parse_restart_policy(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    RestartPolicy policy;
    if (!text.empty()) {
        const auto* const at = std::ranges::find(kModes, name);
        if (at == kModes.end()) {
            return fail(Errc::invalid_argument,
                        "restart policy \"{}\" is none of no, on-failure[:N], always, "
                        "unless-stopped",
                        printable(text));
        }
        policy.mode = static_cast<RestartMode>(at - kModes.begin());
    }
    if (colon == std::string_view::npos) {
        return policy;
    }
    const auto retries = parse_number(text.substr(colon + 1), kMaxRetries);
    if (policy.mode != RestartMode::on_failure || !retries) {
        return fail(Errc::invalid_argument,
                    "restart policy \"{}\": only on-failure takes a number, from 0 to {}",
                    printable(text),
                    kMaxRetries);
    }
    policy.max_retries = static_cast<unsigned>(*retries);
    return policy;
}

}  // namespace knarr

namespace knarr::engine {

namespace {

constexpr std::int64_t kFirstPauseMs = 100, kLongestPauseMs = 60'000, kGoodRunMs = 10'000;
constexpr std::array<std::string_view, 3> kPhases{"idle", "waiting", "launching"};
constexpr std::array<std::string_view, 3> kStoppedBy{"", "hand", "shutdown"};

bool wants_restart(const RestartState& state, int code) {
    if (state.stopped_by != StoppedBy::nobody) {
        return false;
    }
    if (state.forced) {
        return true;
    }
    const RestartPolicy& policy = state.policy;
    switch (policy.mode) {
        case RestartMode::no:
            return false;
        case RestartMode::on_failure:
            return code != 0 && (policy.max_retries == 0 || state.count < policy.max_retries);
        case RestartMode::always:
        case RestartMode::unless_stopped:
            return true;
    }
    return false;
}

RestartEffect after_run(RestartState& state, int code, bool good_run, std::int64_t now_ms) {
    state.phase = RestartPhase::idle;
    const bool wanted = wants_restart(state, code);
    state.forced = false;
    if (!wanted) {
        return RestartEffect::none;
    }
    state.backoff_ms = good_run || state.backoff_ms == 0
                           ? kFirstPauseMs
                           : std::min(state.backoff_ms * 2, kLongestPauseMs);
    state.phase = RestartPhase::waiting;
    state.due_ms = now_ms + state.backoff_ms;
    return RestartEffect::wait;
}

/// At boot: a container that ran when the machine went down, or that is to run always.
bool wants_boot(const RestartState& state, int code) {
    switch (state.policy.mode) {
        case RestartMode::no:
            return false;
        case RestartMode::on_failure:
            return state.stopped_by != StoppedBy::hand && code != 0;
        case RestartMode::always:
            return true;
        case RestartMode::unless_stopped:
            return state.stopped_by != StoppedBy::hand;
    }
    return false;
}

/// From here on nothing of the past counts.
void forget(RestartState& state) {
    state.stopped_by = StoppedBy::nobody;
    state.phase = RestartPhase::idle;
    state.count = 0;
    state.backoff_ms = 0;
    state.forced = false;
}

template <std::size_t N>
Result<std::size_t> read_word(const spec::JsonValue& value,
                              std::string_view name,
                              const std::array<std::string_view, N>& words) {
    std::string text;
    KNARR_TRY(value.required(name, text));
    const auto at = std::ranges::find(words, text);
    if (at == words.end()) {
        return fail(value.error_at(name, "is not known"));
    }
    return static_cast<std::size_t>(at - words.begin());
}

}  // namespace

RestartEffect step(RestartState& state, const RestartEvent& event, std::int64_t now_ms) {
    using Kind = RestartEvent::Kind;
    switch (event.kind) {
        case Kind::started_by_hand:
            forget(state);
            return RestartEffect::launch;
        case Kind::due:
            if (state.phase != RestartPhase::waiting) {
                return RestartEffect::none;  // somebody was faster, or it is to stay down
            }
            state.phase = RestartPhase::launching;
            ++state.count;
            return RestartEffect::launch;
        case Kind::runs:
            state.phase = RestartPhase::idle;
            state.started_ms = now_ms;
            return RestartEffect::none;
        case Kind::ended:
            return after_run(state, event.code, now_ms - state.started_ms >= kGoodRunMs, now_ms);
        case Kind::launch_failed:
            return after_run(state, -1, false, now_ms);
        case Kind::stopped_by_hand:
        case Kind::shut_down:
            state.stopped_by =
                event.kind == Kind::shut_down ? StoppedBy::shutdown : StoppedBy::hand;
            state.phase = RestartPhase::idle;
            return RestartEffect::none;
        case Kind::unhealthy:
            state.forced = state.stopped_by == StoppedBy::nobody;
            return RestartEffect::none;
        case Kind::policy_changed:
            state.policy = event.policy;
            if (state.policy.mode == RestartMode::no) {
                state.phase = RestartPhase::idle;
            }
            return RestartEffect::none;
        case Kind::booted: {
            const bool wanted = wants_boot(state, event.code);
            if (!wanted) {
                state.phase = RestartPhase::idle;
                return RestartEffect::none;
            }
            forget(state);
            return RestartEffect::launch;
        }
    }
    return RestartEffect::none;
}

void write_restart(spec::JsonWriter& json, const RestartState& state) {
    if (state == RestartState{}) {
        return;
    }
    json.key("restart").begin_object();
    json.member("policy", name_of(state.policy.mode));
    json.member("maxRetries", state.policy.max_retries);
    json.member("phase", kPhases[static_cast<std::size_t>(state.phase)]);
    json.member("stoppedBy", kStoppedBy[static_cast<std::size_t>(state.stopped_by)]);
    json.member("count", state.count).member("backoffMs", state.backoff_ms);
    json.member("dueMs", state.due_ms).member("startedMs", state.started_ms);
    json.member("forced", state.forced);
    json.end_object();
}

Result<> read_restart(const spec::JsonValue& life, RestartState& out) {
    const auto value = life.find("restart");
    if (!value) {
        return {};
    }
    std::string policy;
    KNARR_TRY(value->required("policy", policy));
    const auto parsed = parse_restart_policy(policy);
    if (!parsed) {
        return fail(value->error_at("policy", parsed.error().message));
    }
    out.policy = *parsed;
    KNARR_TRY(value->required("maxRetries", out.policy.max_retries));
    out.phase = static_cast<RestartPhase>(KNARR_TRY(read_word(*value, "phase", kPhases)));
    out.stopped_by = static_cast<StoppedBy>(KNARR_TRY(read_word(*value, "stoppedBy", kStoppedBy)));
    KNARR_TRY(value->required("count", out.count));
    KNARR_TRY(value->required("backoffMs", out.backoff_ms));
    KNARR_TRY(value->required("dueMs", out.due_ms));
    KNARR_TRY(value->required("startedMs", out.started_ms));
    return value->optional("forced", out.forced);
}

}  // namespace knarr::engine
