#include <array>

#include "cli/chosen.h"
#include "cli/containers.h"

namespace knarr::cli {

namespace {

constexpr std::array<std::string_view, 1> kResumeAliases{"unpause"};
constexpr std::array kOptions{kAllOption, kLatestOption, kFilterOption, kCidfileOption};

bool is_running(const ContainerInfo& info) {
    return info.state == ContainerState::running;
}

bool is_paused(const ContainerInfo& info) {
    return info.state == ContainerState::paused;
}

/// docker prints what it was asked for; runc, whose containers are made from bundles, nothing.
Result<> tell(const Engine& engine, std::string_view id) {
    const auto info = engine.state(id);
    return info && !info->image.empty() ? print(fmt::format("{}\n", id)) : Result<>{};
}

Result<int> run_pause(Context& context, const Parsed& args) {
    Engine engine = KNARR_TRY(open_engine(context));
    return for_each_chosen(context, engine, args, is_running, [&](std::string_view id) -> Result<> {
        KNARR_TRY(engine.pause(id));
        return tell(engine, id);
    });
}

Result<int> run_resume(Context& context, const Parsed& args) {
    Engine engine = KNARR_TRY(open_engine(context));
    return for_each_chosen(context, engine, args, is_paused, [&](std::string_view id) -> Result<> {
        KNARR_TRY(engine.resume(id));
        return tell(engine, id);
    });
}

}  // namespace

constexpr Verb kPause{
    .name = "pause",
    .synopsis = "[options] ID...",
    .summary = "let all processes of a container stand still",
    .about =
        "Freezes every process of a running container and returns when they stand still. They get\n"
        "no CPU time until `resume`; `kill ID KILL` and `delete --force` end them all the same.\n"
        "Needs a cgroup of its own with a freezer. When it fails, the container runs on.",
    .example = "knarr pause web",
    .options = kOptions,
    .run = run_pause,
};

constexpr Verb kResume{
    .name = "resume",
    .aliases = kResumeAliases,
    .synopsis = "[options] ID...",
    .summary = "let a paused container go on",
    .about = "Lets the processes of a paused container go on, whoever paused it.",
    .example = "knarr resume web",
    .options = kOptions,
    .run = run_resume,
};

}  // namespace knarr::cli
