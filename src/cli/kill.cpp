#include "cli/containers.h"
#include "platform/signal.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{
        .name = "all",
        .letter = 'a',
        .help = "signal every process in the container's cgroup, also after the first has ended"},
    Option{.name = "regex",
           .letter = 'r',
           .help = "ID is an extended regular expression: every container whose ID it matches"},
    Option{.name = "signal",
           .letter = 's',
           .value = "SIGNAL",
           .help = "name or number; the second argument does the same",
           .fallback = "TERM"},
};

Result<int> run_kill(Context& context, const Parsed& args) {
    const bool positional = args.positionals.size() == 2;
    if (args.positionals.empty() || args.positionals.size() > 2 ||
        (positional && args.has("signal"))) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "a container ID and at most one signal are wanted",
                          .hint = "knarr kill ID TERM"});
    }
    const std::string_view text = positional ? args.positionals[1] : args.get("signal", "TERM");
    const int number = KNARR_TRY(sys::parse_signal(text));
    Engine engine = KNARR_TRY(open_engine(context));
    const KillTarget target = args.flag("all") ? KillTarget::every_process : KillTarget::init;
    if (!args.flag("regex")) {
        KNARR_TRY(engine.kill(args.positionals.front(), number, target));
        return 0;
    }
    // All are tried, the first failure is the one that is returned.
    Result<> first;
    for (const std::string& id : KNARR_TRY(matching_ids(engine, {args.positionals.front()}))) {
        Result<> killed = engine.kill(id, number, target);
        if (!killed && first) {
            first = std::move(killed);
        } else if (!killed) {
            context.reporter.error(killed.error());
        }
    }
    KNARR_TRY(std::move(first));
    return 0;
}

}  // namespace

constexpr Verb kKill{
    .name = "kill",
    .synopsis = "[options] ID [SIGNAL]\n--regex [options] EXPRESSION [SIGNAL]",
    .summary = "send a signal to a container",
    .about =
        "Sends SIGNAL to the container's first process. Names are taken with and without SIG, in\n"
        "upper or lower case, also RTMIN+n. A process that ends meanwhile is success; a stopped\n"
        "container is an error.",
    .example = "knarr kill web KILL",
    .options = kOptions,
    .run = run_kill,
};

}  // namespace knarr::cli
