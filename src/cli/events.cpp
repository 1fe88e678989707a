#include "cli/containers.h"
#include "cli/duration.h"
#include "cli/stats_json.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "stats", .help = "print the statistics once and leave"},
    Option{.name = "interval",
           .value = "TIME",
           .help = "between two statistics: 500ms, 5s, 1m30s",
           .fallback = "5s"},
};

Result<int> run_events(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const std::chrono::milliseconds interval =
        KNARR_TRY(parse_duration(args.get("interval", "5s"), "option --interval"));
    if (interval.count() == 0) {
        return fail(Errc::invalid_argument, "option --interval: must be more than nothing");
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::string full_id = KNARR_TRY(engine.state(id)).id;
    if (args.flag("stats")) {
        const ContainerEvent event{.kind = ContainerEvent::Kind::statistics,
                                   .statistics = KNARR_TRY(engine.statistics(id))};
        KNARR_TRY(print(event_json(full_id, event) + "\n"));
        return 0;
    }
    KNARR_TRY(engine.watch(id, interval, [&](const ContainerEvent& event) {
        return print(event_json(full_id, event) + "\n");
    }));
    return 0;
}

}  // namespace

constexpr Verb kEvents{
    .name = "events",
    .synopsis = "[--interval TIME] ID\n--stats ID",
    .summary = "print what a container uses, and when it runs out of memory",
    .about =
        "Prints one JSON object a line, spelled as runc's: {\"type\":\"stats\",...} at every\n"
        "interval and {\"type\":\"oom\",...} when the container runs out of memory, until it "
        "ends.\n"
        "What this host does not count is null or left out, never 0.",
    .example = "knarr events --stats web",
    .options = kOptions,
    .run = run_events,
};

}  // namespace knarr::cli
