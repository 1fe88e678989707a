#include "cli/container_filter.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/ps_containers.h"
#include "cli/refused.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "format",
           .letter = 'f',
           .value = "FORMAT",
           .help = "table; json: of ID the pids alone, else a line for each container; or a "
                   "template. -f KEY=VALUE without ID is --filter, as docker spells it",
           .fallback = "table",
           .repeatable = true},
    Option{.name = "json", .help = "of ID: the same as --format json; else one array, as `list`"},
    Option{.name = "quiet", .letter = 'q', .help = "without ID: print containers' IDs only"},
    Option{.name = "all", .letter = 'a', .help = "without ID: also those that do not run"},
    Option{
        .name = "filter", .value = "KEY=VALUE", .help = kContainerFilterHelp, .repeatable = true},
    Option{.name = "last",
           .letter = 'n',
           .value = "N",
           .help = "without ID: the N newest, also those that do not run"},
    Option{.name = "latest", .letter = 'l', .help = "without ID: the newest one"},
    Option{.name = "size",
           .letter = 's',
           .help = "without ID: what each wrote, and that with its image"},
    Option{.name = "noheading", .help = "without ID: the table without its heading"},
    Option{.name = "no-trunc", .help = "without ID: whole IDs and commands"},
    Option{.name = "sort",
           .value = "BY",
           .help = "without ID: by command, created, id, image, names, runningfor, size or status",
           .fallback = "the newest first"},
    Option{.name = "sync", .help = "no effect: what is shown is what there is"},
};

/// runc's -f is a format, docker's a filter: no format looks like KEY=VALUE.
bool is_filter(std::string_view text) {
    return text.find('=') != std::string_view::npos && text.find("{{") == std::string_view::npos;
}

Result<int> run_list_alone(Context& context, const Parsed& args) {
    std::vector<std::string_view> filters;
    std::vector<std::string_view> formats;
    for (const std::string_view text : args.all("format")) {
        (is_filter(text) ? filters : formats).push_back(text);
    }
    return list_running(
        context, args, std::move(filters), formats.empty() ? std::string_view() : formats.back());
}

Result<int> run_container_list(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    return run_list_alone(context, args);
}

Result<int> run_ps(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return run_list_alone(context, args);
    }
    const std::string_view id = args.positionals.front();
    ListFormat format = KNARR_TRY(list_format(args));
    std::vector<std::string> options;
    for (auto at = args.positionals.begin() + 1; at != args.positionals.end(); ++at) {
        // ps has a --format of its own, but none of its columns is called json.
        if (*at == "--json" || *at == "--format=json") {
            format = ListFormat::json;
        } else if (*at == "--format" && at + 1 != args.positionals.end() && at[1] == "json") {
            format = ListFormat::json;
            ++at;
        } else {
            options.emplace_back(*at);
        }
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    if (format == ListFormat::json) {
        spec::JsonWriter json;
        const std::vector<int> pids = KNARR_TRY(engine.processes(id));
        json.value(pids);
        KNARR_TRY(print(std::move(json).text() + "\n"));
        return 0;
    }
    const std::string table = KNARR_TRY(engine.process_table(id, options));
    KNARR_TRY(print(table));
    return 0;
}

constexpr std::array<std::string_view, 2> kListAliases{"ls", "ps"};

}  // namespace

constexpr Verb kContainerList{
    .name = "list",
    .aliases = kListAliases,
    .synopsis = "[options]",
    .summary = "list containers, as docker does",
    .about =
        "Lists the containers that run, with -a all, as `knarr ps` without ID does and docker's\n"
        "`container ls`. `knarr list` is runc's list.",
    .example = "knarr container ls -a --filter status=exited",
    .options = kOptions,
    .rules = {.refused = kRefusedByPs},
    .run = run_container_list,
};

constexpr Verb kPs{
    .name = "ps",
    .synopsis =
        "[options] ID [OPTIONS OF ps]\n"
        "[options]",
    .summary = "show the processes of a container; without ID, list containers",
    .about =
        "Shows what the host's ps(1) says about the processes in the container's cgroup. What\n"
        "follows ID are its options, -ef where there are none; its table must have a column PID.\n"
        "Without ID it lists the containers that run, as docker's ps does, with -a all.",
    .example = "knarr ps web -o pid,comm",
    .options = kOptions,
    .rules = {.options_until = 1, .refused = kRefusedByPs},
    .run = run_ps,
};

}  // namespace knarr::cli
