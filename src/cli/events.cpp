#include "cli/containers.h"
#include "cli/duration.h"
#include "cli/event_filter.h"
#include "cli/json_template.h"
#include "cli/log_time.h"
#include "cli/stats_json.h"
#include "core/clock.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "filter",
           .letter = 'f',
           .value = "NAME=VALUE",
           .help = "without ID: container, event, image, label, type or scope",
           .repeatable = true},
    Option{.name = "since",
           .value = "TIME",
           .help = "without ID: from then on, as of `logs`; kept events are told first"},
    Option{.name = "until", .value = "TIME", .help = "without ID: leave when that is reached"},
    Option{.name = "format",
           .value = "FORMAT",
           .help = "without ID: json, or a template as of `inspect`"},
    Option{.name = "stream",
           .help = "=false, without ID: tell what is kept, or is since --since, and leave",
           .fallback = "true"},
    Option{.name = "no-trunc", .help = "no effect: nothing is cut short"},
    Option{.name = "stats", .help = "print the statistics once and leave"},
    Option{.name = "interval",
           .value = "TIME",
           .help = "between two statistics: 500ms, 5s, 1m30s",
           .fallback = "5s"},
};

/// Without an ID: what happened to containers, and what happens.
Result<int> tell_of_all(Context& context, const Parsed& args) {
    const EventFilter filter = KNARR_TRY(EventFilter::parse(args.all("filter")));
    EventRequest request;
    const auto now = system_clock().wall();
    if (const auto since = args.find("since")) {
        request.since = KNARR_TRY(parse_log_time(*since, now, "option --since"));
    }
    if (const auto until = args.find("until")) {
        request.until = KNARR_TRY(parse_log_time(*until, now, "option --until"));
    }
    if (args.has("stream") && !args.flag("stream")) {
        if (request.since.empty()) {
            request.since = KNARR_TRY(parse_log_time("0", now, "option --since"));
        }
        request.until = request.until.empty() ? format_time(now) : request.until;
    }
    const std::string_view format = args.get("format");
    const Engine engine = KNARR_TRY(open_engine(context));
    const EventSink tell = [&](const LifecycleEvent& event) -> Result<> {
        if (!filter.takes(event)) {
            return {};
        }
        if (format.empty()) {
            return print(lifecycle_text(event) + "\n");
        }
        return print(KNARR_TRY(render_template(format, lifecycle_json(event))) + "\n");
    };
    KNARR_TRY(engine.events(request, tell));
    return 0;
}

Result<int> run_events(Context& context, const Parsed& args) {
    if (args.positionals.empty() && !args.flag("stats") && !args.has("interval")) {
        return tell_of_all(context, args);
    }
    for (const std::string_view option : {"filter", "since", "until", "format"}) {
        if (args.has(option)) {
            return fail(Error{.code = Errc::invalid_argument,
                              .message = fmt::format("--{} does not go with a container ID, "
                                                     "--stats and --interval",
                                                     option),
                              .hint = "knarr events --filter container=ID"});
        }
    }
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const std::chrono::milliseconds interval =
        KNARR_TRY(parse_duration(args.get("interval", "5s"), "option --interval"));
    if (interval.count() == 0) {
        return fail(Errc::invalid_argument, "option --interval: must be more than nothing");
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::string full_id = KNARR_TRY(engine.state(id)).id;
    if (args.flag("stats")) {
        const StatsSample event{.kind = StatsSample::Kind::statistics,
                                .statistics = KNARR_TRY(engine.statistics(id))};
        KNARR_TRY(print(event_json(full_id, event) + "\n"));
        return 0;
    }
    KNARR_TRY(engine.watch(id, interval, [&](const StatsSample& event) {
        return print(event_json(full_id, event) + "\n");
    }));
    return 0;
}

}  // namespace

constexpr Verb kEvents{
    .name = "events",
    .synopsis =
        "[--filter NAME=VALUE] [--since TIME] [--until TIME] [--format FORMAT]\n"
        "[--interval TIME] ID\n--stats ID",
    .summary = "print what happens to containers; of one, what it uses",
    .about =
        "Without ID: prints what happens to containers of images, in docker's words, until it is\n"
        "interrupted: create, start, die, kill, stop, restart, pause, unpause, rename, update, "
        "oom,\n"
        "destroy, health_status. The last ones are kept for --since. One that reads too slowly is\n"
        "told how many it has missed.\n"
        "\n"
        "With ID: prints one JSON object a line, spelled as runc's: {\"type\":\"stats\",...} at "
        "every\n"
        "interval and {\"type\":\"oom\",...} when the container runs out of memory, until it "
        "ends.\n"
        "What this host does not count is null or left out, never 0.",
    .example = "knarr events --stats web",
    .options = kOptions,
    .run = run_events,
};

}  // namespace knarr::cli
