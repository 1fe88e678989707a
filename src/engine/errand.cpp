#include "engine/errand.h"

#include <string>

#include "engine/monitor_context.h"
#include "engine/probe.h"
#include "engine/rerun.h"
#include "platform/own_copy.h"

namespace knarr::engine {

bool is_errand(std::span<const std::string_view> arguments) {
    return !arguments.empty() && (arguments[0] == kAgainWord || arguments[0] == kProbeWord);
}

Result<> run_errand(std::span<const std::string_view> arguments, const OwnLog& log) {
    constexpr std::size_t kCount = 3;
    if (arguments.size() != kCount || !arguments[1].starts_with('/')) {
        return fail(Errc::invalid_argument, "the arguments of an errand are WORD ROOT ID");
    }
    const ContainerId id = KNARR_TRY(ContainerId::parse(arguments[2]));
    const StateRoot root = KNARR_TRY(StateRoot::open(std::string(arguments[1])));
    Context context =
        monitor_context(root, id, log, arguments[0] == kProbeWord ? "health" : "restart");
    context.before_seen = sys::run_from_unwritable_file;
    if (arguments[0] == kProbeWord) {
        Result<ProbeResult> probed = probe(context, id);
        if (!probed && probed.error().code != Errc::wrong_state) {
            context.warn("health check: " + probed.error().message);
        }
        return probed ? Result<>{} : fail(std::move(probed).error());
    }
    return rerun(context, id);
}

}  // namespace knarr::engine
