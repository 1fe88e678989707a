#include "engine/policy.h"

#include "core/text.h"

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

}  // namespace knarr::engine
