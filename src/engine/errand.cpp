#include "engine/errand.h"

#include <string>

#include "engine/monitor.h"
#include "engine/rerun.h"

namespace knarr::engine {

bool is_errand(std::span<const std::string_view> arguments) {
    return !arguments.empty() && arguments[0] == kAgainWord;
}

Result<> run_errand(std::span<const std::string_view> arguments) {
    constexpr std::size_t kCount = 3;
    if (arguments.size() != kCount || !arguments[1].starts_with('/')) {
        return fail(Errc::invalid_argument, "the arguments of an errand are WORD ROOT ID");
    }
    const ContainerId id = KNARR_TRY(ContainerId::parse(arguments[2]));
    const StateRoot root = KNARR_TRY(StateRoot::open(std::string(arguments[1])));
    const Context context = monitor_context(root, id);
    return rerun(context, id);
}

}  // namespace knarr::engine
