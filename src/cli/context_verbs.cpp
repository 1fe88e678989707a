// docker's `context`: the one that there is, default, which is this host.

#include <array>

#include "cli/docker_verbs.h"
#include "cli/inspected.h"
#include "cli/row_format.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::string_view kName = "default";

Result<> check_name(std::string_view name) {
    return name == kName
               ? Result<>{}
               : fail(Error{.code = Errc::not_found,
                            .message = fmt::format(
                                "context \"{}\": context not found: there is no daemon, and so no "
                                "other place than this host",
                                printable(name)),
                            .hint = "default is the one context; run knarr on that host, by "
                                    "ssh(1)"});
}

Result<int> run_show(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    KNARR_TRY(print(fmt::format("{}\n", kName)));
    return 0;
}

Result<int> run_use(Context&, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "CONTEXT"));
    KNARR_TRY(check_name(name));
    KNARR_TRY(print(fmt::format("{}\n", kName)));
    print_error(fmt::format("Current context is now \"{}\"\n", kName));
    return 0;
}

constexpr std::array kListOptions{
    kRowFormatOption,
    Option{.name = "quiet", .letter = 'q', .help = "print names only"},
};
constexpr std::string_view kHeadings =
    R"({"Current":"CURRENT","Description":"DESCRIPTION","DockerEndpoint":"DOCKER ENDPOINT",)"
    R"("Error":"ERROR","Name":"NAME"})";
constexpr std::string_view kColumns =
    "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}";
/// The heading's row has a text where the others have a truth, which "if" takes for one as well.
constexpr std::string_view kTableHeadings =
    R"({"Current":"","Description":"DESCRIPTION","DockerEndpoint":"DOCKER ENDPOINT",)"
    R"("Error":"ERROR","Name":"NAME"})";

Result<int> run_list(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const std::string_view asked = args.get("format", "table");
    const bool own = asked == "table" && !args.flag("quiet");
    const std::string_view format = own ? kColumns : args.flag("quiet") ? "{{.Name}}" : asked;
    RowFormat rows = KNARR_TRY(RowFormat::parse(format, own ? kTableHeadings : kHeadings));
    spec::JsonWriter json;
    json.begin_object().member("Current", true).member("Description", "This host");
    json.member("DockerEndpoint", "").member("Error", "").member("Name", kName).end_object();
    KNARR_TRY(rows.add(std::move(json).text()));
    const std::string text = KNARR_TRY(std::move(rows).text());
    KNARR_TRY(print(text));
    return 0;
}

constexpr std::array kInspectOptions{kInspectFormatOption};

/// docker's shape. There is no socket, so Host names none.
Result<std::string> context_json(std::string_view name) {
    KNARR_TRY(check_name(name));
    spec::JsonWriter json;
    json.begin_object().member("Name", kName).key("Metadata").begin_object().end_object();
    json.key("Endpoints").begin_object().key("docker").begin_object();
    json.member("Host", "").member("SkipTLSVerify", false).end_object().end_object();
    json.key("TLSMaterial").begin_object().end_object().key("Storage").begin_object();
    json.member("MetadataPath", "<IN MEMORY>").member("TLSPath", "<IN MEMORY>");
    json.end_object().end_object();
    return std::move(json).text();
}

Result<int> run_inspect(Context& context, const Parsed& args) {
    Parsed named = args;
    if (named.positionals.empty()) {
        named.positionals.push_back(kName);
    }
    return print_inspected(context, named, "context", context_json);
}

constexpr Verb kContextShow{
    .name = "show",
    .summary = "print the name of the context: default",
    .about = "Prints the context that is in use, of which there is one.",
    .example = "knarr context show",
    .run = run_show,
};
constexpr std::array<std::string_view, 1> kListAliases{"list"};
constexpr Verb kContextList{
    .name = "ls",
    .aliases = kListAliases,
    .synopsis = "[options]",
    .summary = "list contexts: default, which is this host",
    .about =
        "Lists the contexts that there are, as docker does. No endpoint is shown: there is no\n"
        "daemon, and so no socket of one.",
    .example = "knarr context ls --format '{{.Name}}'",
    .options = kListOptions,
    .run = run_list,
};
constexpr Verb kContextUse{
    .name = "use",
    .synopsis = "CONTEXT",
    .summary = "succeed for default, which is in use always",
    .about =
        "Is there for scripts. Another name than default is an error: what knarr runs is on\n"
        "this host.",
    .example = "knarr context use default",
    .run = run_use,
};
constexpr Verb kContextInspect{
    .name = "inspect",
    .synopsis = "[options] [CONTEXT...]",
    .summary = "print all about the context as JSON",
    .about =
        "Prints docker's shape of the context, as a JSON array. Its Host is empty: there is no\n"
        "daemon, and so no socket of one.",
    .example = "knarr context inspect -f '{{.Name}}'",
    .options = kInspectOptions,
    .run = run_inspect,
};
constexpr std::array kContextVerbs{&kContextShow, &kContextList, &kContextUse, &kContextInspect};

}  // namespace

constexpr Verb kDockerContext{
    .name = "context",
    .synopsis = "VERB [options] [arguments]",
    .summary = "docker's contexts, of which there is one: context show, ls, use, inspect",
    .about = "Is there for scripts that ask docker where containers run: on this host, always.",
    .example = "knarr context show",
    .inner = kContextVerbs,
};

}  // namespace knarr::cli
