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

Result<> delete_one(const Context& context,
                    Engine& engine,
                    const Parsed& args,
                    std::string_view id) {
    const RemoveMode mode = args.flag("force") ? RemoveMode::force : RemoveMode::when_stopped;
    const auto info = engine.state(id);
    KNARR_TRY(engine.remove(
        id, mode, args.flag("volumes") ? AnonymousVolumes::go : AnonymousVolumes::stay));
    if (!info && info.error().code == Errc::not_found && context.reporter.verb.ends_with("rm")) {
        // docker's line about what `rm -f` does not miss; runc's `delete` has none.
        print_error(fmt::format("knarr: No such container: {}\n", printable(id)));
    }
    // As docker has it.
    return info && !info->image.empty() ? print(fmt::format("{}\n", id)) : Result<>{};
}

Result<int> run_delete(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const auto remove = [&](std::string_view id) { return delete_one(context, engine, args, id); };
    if (!args.flag("regex")) {
        return for_each_of(context, args.positionals, remove);
    }
    const std::vector<std::string> ids = KNARR_TRY(matching_ids(engine, args.positionals));
    return for_each_of(context, ids, remove);
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
