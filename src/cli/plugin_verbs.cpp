// docker's `plugin`: there are none.

#include <array>

#include "cli/docker_verbs.h"
#include "cli/inspected.h"
#include "cli/row_format.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kListOptions{
    Option{.name = "filter",
           .letter = 'f',
           .value = "KEY=VALUE",
           .help = "no effect: there are none to choose from",
           .repeatable = true},
    kRowFormatOption,
    Option{.name = "no-trunc", .help = "no effect"},
    Option{.name = "quiet", .letter = 'q', .help = "print nothing"},
};
constexpr std::string_view kHeadings =
    R"({"ID":"ID","Name":"NAME","Description":"DESCRIPTION","Enabled":"ENABLED",)"
    R"("PluginReference":"PluginReference"})";
constexpr std::string_view kColumns = "table {{.ID}}\t{{.Name}}\t{{.Description}}\t{{.Enabled}}";

Result<int> run_list(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const std::string_view asked = args.get("format", "table");
    const std::string_view format = args.flag("quiet") ? "{{.ID}}"
                                    : asked == "table" ? kColumns
                                                       : asked;
    RowFormat rows = KNARR_TRY(RowFormat::parse(format, kHeadings));
    const std::string text = KNARR_TRY(std::move(rows).text());
    KNARR_TRY(print(text));
    return 0;
}

constexpr std::array kInspectOptions{kInspectFormatOption};

Result<int> run_inspect(Context& context, const Parsed& args) {
    return print_inspected(
        context, args, "plugin", [](std::string_view name) -> Result<std::string> {
            return fail(Error{.code = Errc::not_found,
                              .message = fmt::format("No such plugin: {}: there is no daemon that "
                                                     "plugins could extend",
                                                     printable(name)),
                              .hint = "knarr info --format '{{json .Plugins}}' tells what there "
                                      "is without them"});
        });
}

constexpr std::array<std::string_view, 1> kListAliases{"list"};
constexpr Verb kPluginList{
    .name = "ls",
    .aliases = kListAliases,
    .synopsis = "[options]",
    .summary = "list plugins: none",
    .about = "Prints docker's table with its heading alone, and an empty list otherwise.",
    .example = "knarr plugin ls -q",
    .options = kListOptions,
    .run = run_list,
};
constexpr Verb kPluginInspect{
    .name = "inspect",
    .synopsis = "[options] PLUGIN...",
    .summary = "not there: no plugin has that name",
    .about = "Is an error, as docker's is of a plugin that is not there.",
    .example = "knarr plugin ls",
    .options = kInspectOptions,
    .run = run_inspect,
};
constexpr std::array kPluginVerbs{&kPluginList, &kPluginInspect};

}  // namespace

constexpr Verb kPlugin{
    .name = "plugin",
    .synopsis = "VERB [options] [arguments]",
    .summary = "docker's plugins, of which there are none: plugin ls",
    .about =
        "Is there for scripts that ask for docker's plugins. There is no daemon that they could\n"
        "extend: volumes are directories of this host, and logs are files or the journal.",
    .example = "knarr plugin ls",
    .inner = kPluginVerbs,
};

}  // namespace knarr::cli
