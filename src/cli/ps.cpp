#include "cli/containers.h"
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
                   "template",
           .fallback = "table"},
    Option{.name = "json", .help = "of ID: the same as --format json; else one array, as `list`"},
    Option{.name = "quiet", .letter = 'q', .help = "without ID: print containers' IDs only"},
    Option{.name = "all", .letter = 'a', .help = "without ID: also those that do not run"},
    Option{.name = "filter",
           .value = "KEY=VALUE",
           .help = "without ID: only those; id, name, label, status, health, exited, "
                   "ancestor, before, since, until, volume, network",
           .repeatable = true},
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
};

Result<int> run_ps(Context& context, const Parsed& args) {
    const std::string_view form = args.get("format");
    if (form.find('=') != std::string_view::npos && form.find("{{") == std::string_view::npos) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("--format \"{}\" is no format", printable(form)),
                          .hint = fmt::format("a filter is given by --filter {}: -f is --format "
                                              "here, as runc spells it",
                                              printable(form))});
    }
    if (args.positionals.empty()) {
        return list_running(context, args);
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

}  // namespace

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
