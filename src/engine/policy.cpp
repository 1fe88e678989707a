#include "engine/policy.h"

#include "core/text.h"
#include "layer/driver.h"

namespace knarr::engine {

Result<Limits> limits_of_policy(std::string_view name) {
    for (const Limits& limits : {kDefaultLimits, kStrictLimits}) {
        if (limits.policy == name) {
            return limits;
        }
    }
    return fail(
        Errc::invalid_argument, "policy \"{}\" is neither default nor strict", printable(name));
}

Result<> check_snapshot_driver(std::string_view name) {
    if (name.empty() || layer::parse_driver(name)) {
        return {};
    }
    return fail(
        Errc::invalid_argument, "snapshot driver \"{}\" is none of erofs, dir", printable(name));
}

PullOptions with_driver(PullOptions options, const EngineOptions& engine) {
    if (options.snapshot_driver.empty()) {
        options.snapshot_driver = engine.snapshot_driver;
    }
    return options;
}

RunRequest with_driver(RunRequest request, const EngineOptions& engine) {
    request.pull_options = with_driver(std::move(request.pull_options), engine);
    if (request.pull_options.cancel_fd < 0) {
        request.pull_options.cancel_fd = request.cancel_fd;
    }
    return request;
}

}  // namespace knarr::engine
