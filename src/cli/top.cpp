#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/refused.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

Result<int> run_top(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    const std::vector<std::string> options(args.positionals.begin() + 1, args.positionals.end());
    const Engine engine = KNARR_TRY(open_engine(context));
    const ContainerInfo info = KNARR_TRY(engine.state(args.positionals.front()));
    if (info.state != ContainerState::running && info.state != ContainerState::paused) {
        return fail(Errc::wrong_state, "container {} does not run", printable(info.id));
    }
    const std::string table = KNARR_TRY(engine.process_table(info.id, options));
    KNARR_TRY(print(table));
    return 0;
}

}  // namespace

constexpr Verb kTop{
    .name = "top",
    .synopsis = "ID [OPTIONS OF ps]",
    .summary = "show the processes of a running container",
    .about =
        "Shows what the host's ps(1) says about the processes in the container's cgroup, as `ps "
        "ID`\n"
        "does. What follows ID are its options, -ef where there are none.",
    .example = "knarr top web -o pid,comm",
    .rules = {.options_until = 1, .refused = kRefusedByTop},
    .run = run_top,
};

}  // namespace knarr::cli
