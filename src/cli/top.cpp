#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{kLatestOption};

Result<int> run_top(Context& context, const Parsed& args) {
    const Engine engine = KNARR_TRY(open_engine(context));
    std::vector<std::string_view> words = args.positionals;
    const std::string id = KNARR_TRY(take_container(engine, args, words));
    const std::vector<std::string> options(words.begin(), words.end());
    const ContainerInfo info = KNARR_TRY(engine.state(id));
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
    .options = kOptions,
    .rules = {.options_until = 1},
    .run = run_top,
};

}  // namespace knarr::cli
