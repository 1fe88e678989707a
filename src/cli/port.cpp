#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/refused.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{kLatestOption};

/// What a container offers to the outside. There are no networks to offer anything on.
Result<int> run_port(Context& context, const Parsed& args) {
    const Engine engine = KNARR_TRY(open_engine(context));
    std::vector<std::string_view> words = args.positionals;
    const std::string id = KNARR_TRY(take_container(engine, args, words));
    if (words.size() > 1) {
        return fail(Errc::invalid_argument, "a container ID and at most one port are wanted");
    }
    const ContainerInfo info = KNARR_TRY(engine.state(id));
    if (!words.empty()) {
        return fail(
            Error{.code = Errc::not_found,
                  .message = fmt::format("no public port '{}' published for {}",
                                         printable(words.front()),
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
    .options = kOptions,
    .rules = {.refused = kRefusedByPort},
    .run = run_port,
};

}  // namespace knarr::cli
