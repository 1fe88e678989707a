#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/refused.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

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

constexpr Verb kPort{
    .name = "port",
    .synopsis = "ID [PORT[/PROTOCOL]]",
    .summary = "list the published ports of a container",
    .about =
        "Lists what the container publishes. Nothing can be published yet: the list is empty, and\n"
        "any PORT an error.",
    .example = "knarr port web",
    .rules = {.refused = kRefusedByPort},
    .run = run_port,
};

}  // namespace knarr::cli
