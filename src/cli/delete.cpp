#include <array>
#include <chrono>
#include <optional>

#include "cli/chosen.h"
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
    kAllOption,
    Option{.name = "latest", .help = kLatestOption.help},
    Option{.name = "filter", .value = "KEY=VALUE", .help = kFilterOption.help, .repeatable = true},
    kCidfileOption,
    kIgnoreOption,
    Option{.name = "time",
           .letter = 't',
           .value = "SECONDS",
           .help = "with --force: stop it first, and kill it after so long; -1: never",
           .fallback = "0"},
    Option{.name = "regex",
           .letter = 'r',
           .help = "ID is an extended regular expression: every container whose ID it matches"},
};

constexpr std::uint64_t kMaxStopSeconds = std::uint64_t{365} * 24 * 3600;

bool is_any(const ContainerInfo&) {
    return true;
}

/// podman's --time: how long they may take to end. Nothing: they are killed.
Result<std::optional<StopRequest>> parse_time(const Parsed& args) {
    if (args.has("time") && !args.flag("force")) {
        return fail(Errc::invalid_argument, "--time is for those that --force ends");
    }
    if (args.get("time") == "-1") {
        return StopRequest{.timeout = std::chrono::seconds(kMaxStopSeconds)};
    }
    const auto seconds = KNARR_TRY(args.number("time", kMaxStopSeconds));
    if (seconds.value_or(0) == 0) {
        return std::nullopt;
    }
    return StopRequest{.timeout = std::chrono::seconds(*seconds)};
}

Result<> delete_one(const Context& context,
                    Engine& engine,
                    const Parsed& args,
                    std::string_view id) {
    const RemoveMode mode = args.flag("force") ? RemoveMode::force : RemoveMode::when_stopped;
    const auto info = engine.state(id);
    KNARR_TRY(engine.remove(
        id, mode, args.flag("volumes") ? AnonymousVolumes::go : AnonymousVolumes::stay));
    const bool missed = !info && info.error().code == Errc::not_found;
    if (missed && !args.flag("ignore") && context.reporter.verb.ends_with("rm")) {
        // docker's line about what `rm -f` does not miss; runc's `delete` has none.
        print_error(fmt::format("knarr: No such container: {}\n", printable(id)));
    }
    // As docker has it.
    return info && !info->image.empty() ? print(fmt::format("{}\n", id)) : Result<>{};
}

Result<int> run_delete(Context& context, const Parsed& args) {
    const std::optional<StopRequest> stop = KNARR_TRY(parse_time(args));
    Engine engine = KNARR_TRY(open_engine(context));
    Chosen chosen;
    if (args.flag("regex")) {
        for (const std::string_view other : {"all", "latest", "filter", "cidfile"}) {
            if (args.has(other) || args.positionals.empty()) {
                return fail(Errc::invalid_argument, "--regex wants EXPRESSION, and nothing else");
            }
        }
        chosen.names = KNARR_TRY(matching_ids(engine, args.positionals));
    } else {
        chosen = KNARR_TRY(choose(engine, args, is_any));
    }
    if (stop) {
        engine.stop_all(chosen.names, *stop);  // what fails now fails again
    }
    return for_each_of(context, chosen.names, [&](std::string_view id) {
        Result<> done = chosen.one_by_one || engine.state(id)
                            ? delete_one(context, engine, args, id)
                            : Result<>{};
        return unless_gone(engine, args, chosen, is_any, id, std::move(done));
    });
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
        "an\nerror without --force. --all and --filter mean containers of images.",
    .example = "knarr delete --force web",
    .options = kOptions,
    .rules = {.refused = kRefusedByDelete},
    .run = run_delete,
};

}  // namespace knarr::cli
