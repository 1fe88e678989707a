#include <array>

#include "runtime/runtime.h"

namespace knarr::runtime {

namespace {

constexpr std::array kKinds = {
    Kind{.isolation = Isolation::native, .plan = native::make_plan, .plan_exec = native::plan_exec},
};

}  // namespace

Result<const Kind*> select(Isolation isolation) {
    std::string built;
    for (const Kind& kind : kKinds) {
        if (kind.isolation == isolation) {
            return &kind;
        }
        built += (built.empty() ? "" : ", ") + std::string(name_of(kind.isolation));
    }
    return fail(
        Error{.code = Errc::unsupported,
              .message = fmt::format(
                  "isolation {} is not in this build, which has: {}", name_of(isolation), built),
              .hint = "choose one of those with --isolation; knarr never falls back to a "
                      "weaker wall by itself"});
}

}  // namespace knarr::runtime
