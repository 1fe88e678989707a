// stop and restart.

#include <algorithm>
#include <array>

#include "cli/chosen.h"
#include "cli/containers.h"

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
    kAllOption,
    kLatestOption,
    kFilterOption,
    kCidfileOption,
    kIgnoreOption,
};
constexpr auto kRestartOptions = [] {
    std::array<Option, kStopOptions.size() + 1> all{};
    std::copy(kStopOptions.begin(), kStopOptions.end(), all.begin());
    all.back() = {.name = "running", .help = "instead of an ID: all that run"};
    return all;
}();

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

bool is_up(const ContainerInfo& info) {
    return info.state == ContainerState::running || info.state == ContainerState::paused ||
           info.restarting;
}

bool is_any(const ContainerInfo&) {
    return true;
}

/// All are sent their signals before the end of one is waited for.
Result<int> run_stop(Context& context, const Parsed& args) {
    const StopRequest request = KNARR_TRY(parse_stop(args));
    Engine engine = KNARR_TRY(open_engine(context));
    const Chosen chosen = KNARR_TRY(choose(engine, args, is_up));
    std::vector<Result<>> done = engine.stop_all(chosen.names, request);
    auto next = done.begin();
    return for_each_of(context, chosen.names, [&](std::string_view id) -> Result<> {
        Result<>& stopped = *next++;
        return stopped ? print(fmt::format("{}\n", id))
                       : unless_gone(engine, args, chosen, is_up, id, std::move(stopped));
    });
}

Result<int> run_restart(Context& context, const Parsed& args) {
    const StopRequest request = KNARR_TRY(parse_stop(args));
    Engine engine = KNARR_TRY(open_engine(context));
    const auto fit = args.flag("running") ? is_up : is_any;
    return for_each_chosen(context, engine, args, fit, [&](std::string_view id) -> Result<> {
        KNARR_TRY(engine.restart(id, request));
        return print(fmt::format("{}\n", id));
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
        "ended already is no error. Several end side by side: each is sent its signal at once.\n"
        "--all are the containers of images that run, and so are those of --filter.",
    .example = "knarr stop -t 5 web",
    .options = kStopOptions,
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
    .options = kRestartOptions,
    .run = run_restart,
};

}  // namespace knarr::cli
