// stop, restart and wait: what is done about a container's end.

#include "cli/containers.h"
#include "cli/refused.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::uint64_t kMaxStopSeconds = std::uint64_t{365} * 24 * 3600;

constexpr std::array kStopOptions{
    Option{.name = "time",
           .letter = 't',
           .value = "SECONDS",
           .help = "kill it when it has not ended after so long; -1: never",
           .fallback = "--stop-timeout of the run, else 30"},
    Option{.name = "timeout", .value = "SECONDS", .help = "the same"},
    Option{.name = "signal",
           .letter = 's',
           .value = "SIGNAL",
           .help = "name or number, instead of the container's own",
           .fallback = "--stop-signal of the run, else the image's, else TERM"},
};

Result<StopRequest> parse_stop(const Parsed& args) {
    if (args.has("time") && args.has("timeout")) {
        return fail(Errc::invalid_argument, "--time and --timeout are the same: give one");
    }
    StopRequest request;
    request.signal = args.get("signal");
    const std::string_view option = args.has("timeout") ? "timeout" : "time";
    if (args.get(option) == "-1") {
        request.timeout = std::chrono::seconds(kMaxStopSeconds);
    } else if (const auto seconds = KNARR_TRY(args.number(option, kMaxStopSeconds))) {
        request.timeout = std::chrono::seconds(*seconds);
    }
    return request;
}

Result<int> run_stop(Context& context, const Parsed& args) {
    const StopRequest request = KNARR_TRY(parse_stop(args));
    Engine engine = KNARR_TRY(open_engine(context));
    return for_each_container(context, args, [&](std::string_view id) -> Result<> {
        KNARR_TRY(engine.stop(id, request));
        return print(fmt::format("{}\n", id));
    });
}

Result<int> run_restart(Context& context, const Parsed& args) {
    const StopRequest request = KNARR_TRY(parse_stop(args));
    Engine engine = KNARR_TRY(open_engine(context));
    return for_each_container(context, args, [&](std::string_view id) -> Result<> {
        KNARR_TRY(engine.restart(id, request));
        return print(fmt::format("{}\n", id));
    });
}

Result<int> run_wait(Context& context, const Parsed& args) {
    Engine engine = KNARR_TRY(open_engine(context));
    return for_each_container(context, args, [&](std::string_view id) -> Result<> {
        const std::optional<int> code = KNARR_TRY(engine.wait(id));
        if (!code) {
            return fail(Error{
                .code = Errc::wrong_state,
                .message = fmt::format(
                    "container {} has ended, and nobody saw with which exit code", printable(id)),
                .hint = "knarr inspect ID says what is known of it"});
        }
        return print(fmt::format("{}\n", *code));
    });
}

}  // namespace

constexpr Verb kStop{
    .name = "stop",
    .synopsis = "[options] ID...",
    .summary = "end a container, by force when it does not listen",
    .about =
        "Sends the container's stop signal to its first process, waits, and sends KILL when the\n"
        "time is up. Returns as soon as the container has ended and that is recorded. One that "
        "has\n"
        "ended already is no error.",
    .example = "knarr stop -t 5 web",
    .options = kStopOptions,
    .rules = {.refused = kRefusedByStop},
    .run = run_stop,
};

constexpr Verb kRestart{
    .name = "restart",
    .synopsis = "[options] ID...",
    .summary = "stop a container and start it again",
    .about =
        "Does what `stop` and `start` do. The container keeps its ID, its name and its files, and "
        "its\n"
        "log goes on. One that has ended is started.",
    .example = "knarr restart web",
    .options = kStopOptions,
    .rules = {.refused = kRefusedByStop},
    .run = run_restart,
};

constexpr Verb kWait{
    .name = "wait",
    .synopsis = "ID...",
    .summary = "wait until a container has ended, print its exit code",
    .about =
        "Waits for each container and prints the exit code of its program, 128+n when signal n\n"
        "ended it. Any number may wait for the same one; of one that has ended the recorded code "
        "is\n"
        "printed at once.",
    .example = "knarr wait job",
    .rules = {.refused = kRefusedByWait},
    .run = run_wait,
};

}  // namespace knarr::cli
