// recover, cleanup and shutdown: what is done about all containers at once.

#include "cli/containers.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::uint64_t kMaxSeconds = std::uint64_t{24} * 3600;

constexpr Option kJsonOption{.name = "json", .help = "print an array of objects"};
constexpr std::array kRecoverOptions{
    Option{.name = "force",
           .letter = 'f',
           .help = "end containers that nobody watches, put damaged records aside"},
    kJsonOption,
};
constexpr std::array kCleanupOptions{
    Option{.name = "orphaned",
           .help = "what killed launches left, and files of containers that do not exist; with "
                   "--force also containers that nobody watches, and damaged records"},
    Option{.name = "stopped",
           .help = "containers of images that have ended; with --force of bundles, too"},
    Option{.name = "force", .letter = 'f', .help = "go further: see there"},
    Option{.name = "dry-run", .help = "print what would be removed, and remove nothing"},
    kJsonOption,
};
constexpr std::array kShutdownOptions{
    Option{.name = "timeout",
           .letter = 't',
           .value = "SECONDS",
           .help = "kill what has not ended after so long",
           .fallback = "30"},
    kJsonOption,
};

/// Whether it was done, or is what would be done.
enum class Tense : std::uint8_t { past, would };

std::string shown_action(const UpkeepStep& step, Tense tense) {
    if (tense == Tense::past) {
        return std::string(name_of(step.kind));
    }
    return step.kind == UpkeepStep::Kind::data ? "would remove data of" : "would remove";
}

/// One line or object a step; the exit status says whether one failed.
Result<int> show(const Parsed& args,
                 const std::vector<UpkeepStep>& steps,
                 Tense tense = Tense::past) {
    spec::JsonWriter json;
    json.begin_array();
    std::string text;
    bool failed = false;
    for (const UpkeepStep& step : steps) {
        failed = failed || step.kind == UpkeepStep::Kind::failed ||
                 step.kind == UpkeepStep::Kind::damaged;
        json.begin_object().member("action", shown_action(step, tense)).member("id", step.id);
        json.member("detail", step.detail).end_object();
        text += fmt::format("{} {}{}{}\n",
                            shown_action(step, tense),
                            step.id,
                            step.detail.empty() ? "" : ": ",
                            step.detail);
    }
    json.end_array();
    KNARR_TRY(print(args.flag("json") ? json.text() + "\n" : text));
    return failed ? 1 : 0;
}

Result<int> run_recover(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    Engine engine = KNARR_TRY(open_engine(context));
    return show(args, KNARR_TRY(engine.recover(args.flag("force"))));
}

Result<int> run_cleanup(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const CleanupRequest request{.orphaned = args.flag("orphaned"),
                                 .stopped = args.flag("stopped"),
                                 .force = args.flag("force"),
                                 .dry_run = args.flag("dry-run")};
    if (!request.orphaned && !request.stopped) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "clean up what? neither --orphaned nor --stopped is given",
                          .hint = "knarr cleanup --orphaned --stopped --dry-run shows what there "
                                  "is"});
    }
    Engine engine = KNARR_TRY(open_engine(context));
    return show(
        args, KNARR_TRY(engine.clean_up(request)), request.dry_run ? Tense::would : Tense::past);
}

Result<int> run_shutdown(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    constexpr std::uint64_t kDefaultSeconds = 30;
    const auto seconds = KNARR_TRY(args.number("timeout", kMaxSeconds));
    Engine engine = KNARR_TRY(open_engine(context));
    return show(
        args, KNARR_TRY(engine.shut_down(std::chrono::seconds(seconds.value_or(kDefaultSeconds)))));
}

}  // namespace

constexpr Verb kRecover{
    .name = "recover",
    .synopsis = "[options]",
    .summary = "after a crash or a reboot: bring all containers into order",
    .about =
        "Gives containers that nobody watches their monitors back, records those that ended while\n"
        "nobody looked, removes what killed launches left, and brings damaged or lost records "
        "back\n"
        "from their copies. After a reboot, and after `shutdown`, containers start again as their\n"
        "restart policies say. Prints what it does, a line each; all in order prints nothing.\n"
        "knarr.service runs it at boot. A record that cannot be brought back is named, and the\n"
        "exit status is 1; --force puts it aside in ROOT/.quarantine.",
    .example = "knarr recover",
    .options = kRecoverOptions,
    .run = run_recover,
};

constexpr Verb kCleanup{
    .name = "cleanup",
    .synopsis = "[--orphaned] [--stopped] [--force] [--dry-run]",
    .summary = "remove what is left over, and containers that have ended",
    .about =
        "Removes containers and files of the chosen sorts, and prints a line for each. With\n"
        "--dry-run the lines say what would be removed, and nothing is.",
    .example = "knarr cleanup --stopped --dry-run",
    .options = kCleanupOptions,
    .run = run_cleanup,
};

constexpr Verb kShutdown{
    .name = "shutdown",
    .synopsis = "[options]",
    .summary = "end all containers, side by side",
    .about =
        "Sends each container its stop signal, waits, and kills what has not ended when the time "
        "is\n"
        "up. INT or TERM (Ctrl-C) while it waits changes nothing the first time, for it does that\n"
        "already; the second time it kills at once. Containers with a restart policy start again "
        "at\n"
        "the next `recover`.",
    .example = "knarr shutdown --timeout 10",
    .options = kShutdownOptions,
    .run = run_shutdown,
};

}  // namespace knarr::cli
