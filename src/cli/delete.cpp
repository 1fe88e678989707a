#include "cli/containers.h"
#include "cli/refused.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array<std::string_view, 1> kAliases{"rm"};
constexpr std::array kOptions{
    Option{.name = "force",
           .letter = 'f',
           .help = "kill it first; a container that is not there is no error"},
    Option{.name = "volumes",
           .letter = 'v',
           .help = "its anonymous volumes as well, where no other container has them"},
    Option{.name = "regex",
           .letter = 'r',
           .help = "ID is an extended regular expression: every container whose ID it matches"},
};

Result<int> run_delete(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const RemoveMode mode = args.flag("force") ? RemoveMode::force : RemoveMode::when_stopped;
    // All are tried, the first failure is the one that is returned.
    Result<> first;
    std::vector<std::string> ids(args.positionals.begin(), args.positionals.end());
    if (args.flag("regex")) {
        ids = KNARR_TRY(matching_ids(engine, args.positionals));
    }
    for (const std::string_view id : ids) {
        const auto info = engine.state(id);
        Result<> removed = engine.remove(
            id, mode, args.flag("volumes") ? AnonymousVolumes::go : AnonymousVolumes::stay);
        if (removed && info && !info->image.empty()) {
            removed = print(fmt::format("{}\n", id));  // as docker has it
        }
        if (removed && !info && info.error().code == Errc::not_found &&
            context.reporter.verb.ends_with("rm")) {
            // docker's line about what `rm -f` does not miss; runc's `delete` has none.
            print_error(fmt::format("knarr: No such container: {}\n", printable(id)));
        }
        if (removed) {
            continue;
        }
        if (first) {
            first = std::move(removed);
        } else {
            context.reporter.error(removed.error());
        }
    }
    KNARR_TRY(std::move(first));
    return 0;
}

}  // namespace

constexpr Verb kDelete{
    .name = "delete",
    .aliases = kAliases,
    .synopsis = "[options] ID...\n--regex [options] EXPRESSION...",
    .summary = "remove a container that does not run",
    .about =
        "Removes all that a container consists of: cgroup, state, and for one made from an image\n"
        "its files; volumes stay without --volumes. A created container is killed; a running one "
        "is "
        "an\nerror without --force.",
    .example = "knarr delete --force web",
    .options = kOptions,
    .rules = {.refused = kRefusedByDelete},
    .run = run_delete,
};

}  // namespace knarr::cli
