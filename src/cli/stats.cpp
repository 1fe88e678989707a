// stats and metrics: what containers use, for people and for Prometheus.

#include <algorithm>
#include <csignal>
#include <map>

#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/ps_containers.h"
#include "cli/row_format.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "core/clock.h"
#include "platform/host_facts.h"
#include "platform/signal.h"
#include "platform/socket.h"
#include "platform/standard_stream.h"
#include "platform/terminal.h"

namespace knarr::cli {

namespace {

constexpr std::uint64_t kMaxIntervalSeconds = 24 * 3600;

constexpr std::array kStatsOptions{
    Option{.name = "all", .letter = 'a', .help = "also containers that do not run"},
    Option{.name = "no-stream", .help = "print once and leave"},
    Option{.name = "no-trunc", .help = "whole IDs"},
    Option{.name = "format",
           .value = "FORMAT",
           .help = "table; json: an object a line; or a template",
           .fallback = "table"},
    Option{.name = "interval",
           .letter = 'i',
           .value = "SECONDS",
           .help = "between two looks",
           .fallback = "1"},
    Option{.name = "no-reset", .help = "on a terminal: one table below the other"},
    kLatestOption,
};

bool has_processes(const ContainerInfo& info) {
    return info.pid > 0;
}

/// What is to be shown, by ID. Errors: for one that is named and is not there.
Result<std::vector<Usage>> look(const Engine& engine,
                                const std::vector<std::string_view>& names,
                                bool all) {
    std::vector<ContainerInfo> infos;
    infos.reserve(names.size());
    for (const std::string_view name : names) {
        infos.push_back(KNARR_TRY(engine.state(name)));
    }
    if (names.empty()) {
        infos = KNARR_TRY(engine.list());
        std::erase_if(infos, [&](const ContainerInfo& info) {
            return !info.damage.empty() || (!all && !has_processes(info));
        });
    }
    const std::uint64_t machine_bytes = sys::host_size().memory_bytes;
    std::vector<Usage> out;
    for (std::size_t i = 0; i < infos.size(); ++i) {
        ContainerInfo& info = infos[i];
        Usage usage;
        usage.called = names.empty() ? std::string() : std::string(names[i]);
        if (has_processes(info)) {
            Result<Statistics> statistics = engine.statistics(info.id);
            if (statistics) {
                usage.statistics = std::move(*statistics);
            } else if (statistics.error().code != Errc::wrong_state &&
                       statistics.error().code != Errc::not_found) {
                return fail(std::move(statistics).error());
            }
        }
        usage.info = std::move(info);
        usage.machine_bytes = machine_bytes;
        usage.at_ns = system_clock().steady().time_since_epoch().count();
        out.push_back(std::move(usage));
    }
    return out;
}

constexpr std::string_view kTable = "table";
/// docker's, of `stats --format "table ..."`.
constexpr std::string_view kUsageHeadings =
    R"({"ID":"CONTAINER ID","Container":"CONTAINER","Name":"NAME","CPUPerc":"CPU %",)"
    R"("MemUsage":"MEM USAGE / LIMIT","MemPerc":"MEM %","NetIO":"NET I/O","BlockIO":"BLOCK I/O",)"
    R"("PIDs":"PIDS"})";

Result<std::string> render(const std::vector<Usage>& now,
                           const std::map<std::string, Usage>& before,
                           std::string_view format,
                           bool whole_ids) {
    std::vector<ContainerInfo> infos;
    infos.reserve(now.size());
    for (const Usage& usage : now) {
        infos.push_back(usage.info);
    }
    const std::vector<std::string> ids = short_ids(infos);
    std::vector<std::vector<std::string>> rows{{"CONTAINER ID",
                                                "NAME",
                                                "CPU %",
                                                "MEM USAGE / LIMIT",
                                                "MEM %",
                                                "NET I/O",
                                                "BLOCK I/O",
                                                "PIDS"}};
    RowFormat chosen = KNARR_TRY(RowFormat::parse(format, kUsageHeadings));
    for (std::size_t i = 0; i < now.size(); ++i) {
        const auto at = before.find(now[i].info.id);
        const Usage* const last = at == before.end() ? nullptr : &at->second;
        const std::string& id = whole_ids ? now[i].info.id : ids[i];
        if (format == kTable) {
            rows.push_back(usage_row(last, now[i], id));
        } else {
            KNARR_TRY(chosen.add(usage_json(last, now[i], id)));
        }
    }
    return format == kTable ? format_table(rows) : std::move(chosen).text();
}

Result<int> run_stats(Context& context, const Parsed& args) {
    const std::uint64_t seconds =
        KNARR_TRY(args.number("interval", kMaxIntervalSeconds)).value_or(1);
    if (seconds == 0) {
        return fail(Errc::invalid_argument, "--interval 0 leaves no time between two looks");
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::string newest =
        args.flag("latest") ? KNARR_TRY(only_container(engine, args)) : std::string();
    const auto names = newest.empty() ? args.positionals : std::vector<std::string_view>{newest};
    const std::string_view format = args.get("format", "table");
    const bool once = args.flag("no-stream");
    const bool redraw = !once && !args.flag("no-reset") && format == "table" &&
                        sys::is_terminal(sys::StandardStream(1).fd());
    sys::SignalFd signals = KNARR_TRY(sys::SignalFd::open());
    std::map<std::string, Usage> before;
    for (bool first = true;; first = false) {
        std::vector<Usage> now = KNARR_TRY(look(engine, names, args.flag("all")));
        // The first look is what the CPU's share is measured against.
        if (!first) {
            const std::string text = KNARR_TRY(render(now, before, format, args.flag("no-trunc")));
            KNARR_TRY(print((redraw ? "\x1b[H\x1b[2J" : "") + text));
            if (once) {
                return 0;
            }
        }
        before.clear();
        for (Usage& usage : now) {
            std::string id = usage.info.id;
            before.emplace(std::move(id), std::move(usage));
        }
        std::array<sys::Ready, 1> items{sys::Ready{.fd = signals.fd().get()}};
        KNARR_TRY(sys::wait_ready(items, static_cast<int>(seconds * 1000)));
        while (const auto signal = KNARR_TRY(signals.next())) {
            if (*signal == SIGINT || *signal == SIGTERM || *signal == SIGHUP) {
                return 0;  // as docker's, which is ended so
            }
        }
    }
}

Result<int> run_metrics(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::string text = metrics_text(KNARR_TRY(look(engine, {}, true)));
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kStats{
    .name = "stats",
    .synopsis = "[options] [ID...]",
    .summary = "show what containers use, again and again",
    .about =
        "Shows a table of the containers that run, or of those that are named, once a second "
        "until\n"
        "it is interrupted. CPU is of one CPU: two of them busy are 200%. Memory is without pages\n"
        "of files that nobody uses. What this host does not count is -- in the table and null in\n"
        "JSON, never 0.",
    .example = "knarr stats --no-stream --format json",
    .options = kStatsOptions,
    .run = run_stats,
};

constexpr Verb kMetrics{
    .name = "metrics",
    .synopsis = "",
    .summary = "print what containers use, for Prometheus",
    .about =
        "Prints the state, restarts, exit code and use of all containers in Prometheus' text "
        "format.\n"
        "What this host does not count is left out. There is no server: let the node exporter's\n"
        "textfile collector or any cron job read it.",
    .example = "knarr metrics > /var/lib/node_exporter/knarr.prom",
    .run = run_metrics,
};

}  // namespace knarr::cli
