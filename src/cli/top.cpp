#include "cli/containers.h"
#include "cli/docker_verbs.h"
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

/// What a container offers to the outside. There are no networks to offer anything on.
Result<int> run_port(Context& context, const Parsed& args) {
    if (args.positionals.empty() || args.positionals.size() > 2) {
        return fail(Errc::invalid_argument, "a container ID and at most one port are wanted");
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    const ContainerInfo info = KNARR_TRY(engine.state(args.positionals.front()));
    if (args.positionals.size() == 2) {
        return fail(
            Error{.code = Errc::not_found,
                  .message = fmt::format("no public port '{}' published for {}",
                                         printable(args.positionals[1]),
                                         printable(info.name.empty() ? info.id : info.name)),
                  .hint = "containers have no network but loopback or the host's"});
    }
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
    .rules = {.options_until = 1},
    .run = run_top,
};

constexpr Verb kPort{
    .name = "port",
    .synopsis = "ID [PORT[/PROTOCOL]]",
    .summary = "list the published ports of a container",
    .about =
        "Lists what the container publishes. Nothing can be published yet: the list is empty, and\n"
        "any PORT an error.",
    .example = "knarr port web",
    .run = run_port,
};

}  // namespace knarr::cli
