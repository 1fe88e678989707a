#include <array>

#include "cli/docker_verbs.h"
#include "cli/help.h"
#include "cli/image_verbs.h"
#include "cli/man.h"
#include "cli/verb.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kVerbs{
    &kRun,           &kExec,    &kPlan,     &kCreate,    &kStart,   &kState,      &kKill,
    &kDelete,        &kStop,    &kRestart,  &kWait,      &kAttach,  &kLogs,       &kInspect,
    &kRename,        &kPause,   &kResume,   &kUpdate,    &kPs,      &kTop,        &kPort,
    &kDiff,          &kCp,      &kStats,    &kEvents,    &kExplain, &kHealth,     &kHealthcheck,
    &kCheckpoint,    &kRestore, &kList,     &kPull,      &kPush,    &kImages,     &kRmi,
    &kTag,           &kUntag,   &kHistory,  &kSave,      &kLoad,    &kImport,     &kExport,
    &kLogin,         &kLogout,  &kImage,    &kContainer, &kVolume,  &kNetwork,    &kSystem,
    &kDockerContext, &kPlugin,  &kManifest, &kBuilder,   &kRecover, &kCleanup,    &kShutdown,
    &kMetrics,       &kDoctor,  &kSpec,     &kFeatures,  &kInfo,    &kCompletion, &kVersion,
    &kHelp};
constexpr std::array kContainerVerbs{&kRun,
                                     &kExec,
                                     &kCreate,
                                     &kStart,
                                     &kState,
                                     &kKill,
                                     &kDelete,
                                     &kStop,
                                     &kRestart,
                                     &kWait,
                                     &kAttach,
                                     &kLogs,
                                     &kContainerInspect,
                                     &kRename,
                                     &kPause,
                                     &kResume,
                                     &kUpdate,
                                     &kStats,
                                     &kEvents,
                                     &kExplain,
                                     &kCheckpoint,
                                     &kRestore,
                                     &kExport,
                                     &kContainerList,
                                     &kTop,
                                     &kPort,
                                     &kDiff,
                                     &kCp,
                                     &kHealth,
                                     &kContainerPrune,
                                     &kContainerExists};

constexpr std::array kHelpOptions{Option{.name = "man", .help = "print a manual page"}};

Result<int> run_help(Context&, const Parsed& args) {
    const bool man = args.flag("man");
    if (args.positionals.empty()) {
        KNARR_TRY(print(man ? general_man() : general_help()));
        return 0;
    }
    std::span<const Verb* const> verbs = all_verbs();
    const Verb* verb = nullptr;
    std::string path;
    for (std::size_t i = 0; verb == nullptr || i < args.positionals.size(); ++i) {
        const std::string_view word = args.positionals[i];
        verb = find_verb(verbs, word);
        if (verb == nullptr) {
            return fail(unknown_verb(verbs, word, path)
                            .within(fmt::format("No help topic for '{}'", printable(word))));
        }
        path += path.empty() ? "" : " ";
        path += verb->name;
        verbs = verb->inner;
    }
    KNARR_TRY(print(man ? verb_man(*verb, path) : verb_help(*verb, path)));
    return 0;
}

}  // namespace

constexpr Verb kContainer{
    .name = "container",
    .synopsis = "VERB [options] [arguments]",
    .summary = "the verbs on containers once more: container run, ...",
    .about = "Holds the verbs on containers; `knarr container run` is `knarr run`.",
    .example = "knarr container list",
    .inner = kContainerVerbs,
};

constexpr Verb kHelp{
    .name = "help",
    .synopsis = "[--man] [VERB...]",
    .summary = "print this list, or the help of a verb",
    .about =
        "Prints what knarr can do, or what one verb does; with --man as a manual page in roff.\n"
        "tools/man writes all of them.",
    .example = "knarr help --man run | man -l -",
    .options = kHelpOptions,
    .run = run_help,
};

std::span<const Verb* const> all_verbs() {
    return kVerbs;
}

int report_failure(const Context& context, Error error) {
    const Reporter& reporter = context.reporter;
    if (error.code == Errc::invalid_argument && !reporter.verb.empty()) {
        error = std::move(error).advise(fmt::format("see knarr {} --help", reporter.verb));
    }
    reporter.error(error);
    const int own = describe(error.code).exit_status;
    // 126 and 127 speak of the container's program and stay what they are, but for runc's exec.
    const bool of_program = (own == 126 || own == 127) && !context.for_programs_too;
    return context.failure_status != 0 && !of_program ? context.failure_status : own;
}

Result<std::string_view> one_argument(const Parsed& args, std::string_view what) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? {} is missing", what);
    }
    if (args.positionals.size() > 1) {
        return fail(Errc::invalid_argument,
                    "one {} is wanted; \"{}\" is one argument too many",
                    what,
                    printable(args.positionals[1]));
    }
    return args.positionals.front();
}

Result<> no_arguments(const Parsed& args) {
    if (!args.positionals.empty()) {
        return fail(Errc::invalid_argument,
                    "unexpected argument \"{}\"",
                    printable(args.positionals.front()));
    }
    return {};
}

}  // namespace knarr::cli
