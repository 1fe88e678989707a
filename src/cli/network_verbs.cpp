// network ls, inspect and prune, in docker's words; what would make or change one is not built.

#include <array>

#include "cli/confirm.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/inspected.h"
#include "cli/network.h"
#include "cli/prune.h"
#include "cli/row_format.h"
#include "cli/table.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kListOptions{
    Option{.name = "filter",
           .letter = 'f',
           .value = "KEY=VALUE",
           .help = "only those: name=PART, id=PART, driver=NAME, scope=local, type=builtin|custom, "
                   "dangling=BOOL, label=KEY",
           .repeatable = true},
    kRowFormatOption,
    Option{.name = "quiet", .letter = 'q', .help = "print IDs only"},
    Option{.name = "no-trunc", .help = "print IDs whole"},
};

/// docker's headings, of `network ls --format "table ..."`.
constexpr std::string_view kHeadings =
    R"({"CreatedAt":"CREATED AT","Driver":"DRIVER","ID":"NETWORK ID","IPv6":"IPV6",)"
    R"("Internal":"INTERNAL","Labels":"LABELS","Name":"NAME","Scope":"SCOPE"})";
constexpr std::string_view kColumns = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";

Result<int> run_list(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const NetworkFilter filter = KNARR_TRY(NetworkFilter::parse(args.all("filter")));
    std::string_view format = args.get("format", "table");
    format = args.flag("quiet") ? "{{.ID}}" : format == "table" ? kColumns : format;
    RowFormat rows = KNARR_TRY(RowFormat::parse(format, kHeadings));
    for (const Network& network : all_networks()) {
        if (filter.fits(network)) {
            KNARR_TRY(rows.add(network_row(network, args.flag("no-trunc"))));
        }
    }
    const std::string text = KNARR_TRY(std::move(rows).text());
    KNARR_TRY(print(text));
    return 0;
}

constexpr std::array kInspectOptions{
    kInspectFormatOption,
    Option{.name = "verbose", .letter = 'v', .help = "no effect: there are no swarms"},
};

Result<int> run_inspect(Context& context, const Parsed& args) {
    const Engine engine = KNARR_TRY(open_engine(context));
    return print_inspected(
        context, args, "network", [&](std::string_view name) -> Result<std::string> {
            const Network network = KNARR_TRY(find_network(name));
            return network_json(engine, network);
        });
}

constexpr std::array kPruneOptions{
    Option{.name = "force", .letter = 'f', .help = "do not ask"},
    Option{.name = "filter",
           .value = "KEY=VALUE",
           .help = "until=24h, label=KEY[=VALUE] or label!=KEY[=VALUE]; none has any",
           .repeatable = true},
};

/// docker's never removes the two that there are, and says nothing where nothing goes.
Result<int> run_prune(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    static_cast<void>(KNARR_TRY(prune_filter(args)));
    static_cast<void>(
        KNARR_TRY(confirmed(args, "all custom networks not used by at least one container")));
    return 0;
}

constexpr std::array kRemoveOptions{
    Option{.name = "force", .letter = 'f', .help = "one that is not there is no error"},
};

Result<int> run_remove(Context& context, const Parsed& args) {
    return for_each_named(context, args, "network", [&](std::string_view name) -> Result<> {
        const auto found = find_network(name);
        if (found) {
            return fail(Error{.code = Errc::wrong_state,
                              .message = fmt::format(
                                  "{} is a pre-defined network and cannot be removed", found->name),
                              .hint = "it is part of this host, and takes nothing"});
        }
        return args.flag("force") ? Result<>{} : fail(found.error());
    });
}

constexpr std::string_view kNotBuilt = "there are no networks but the host's and none";
constexpr std::string_view kHost = "run --network host, or --network none";

constexpr RefusedOption refused(std::string_view name, char letter = 0) {
    return {.name = name, .letter = letter, .why = kNotBuilt, .instead = kHost};
}

constexpr std::array kRefusedByCreate{refused("attachable"),
                                      refused("aux-address"),
                                      refused("config-from"),
                                      refused("config-only"),
                                      refused("driver", 'd'),
                                      refused("gateway"),
                                      refused("ingress"),
                                      refused("internal"),
                                      refused("ip-range"),
                                      refused("ipam-driver"),
                                      refused("ipam-opt"),
                                      refused("ipv6"),
                                      refused("label"),
                                      refused("opt", 'o'),
                                      refused("scope"),
                                      refused("subnet")};
constexpr std::array kRefusedByConnect{refused("alias"),
                                       refused("driver-opt"),
                                       refused("ip"),
                                       refused("ip6"),
                                       refused("link"),
                                       refused("link-local-ip"),
                                       refused("force", 'f')};

Result<int> run_create(Context&, const Parsed&) {
    return fail(no_networks("network create"));
}
Result<int> run_connect(Context&, const Parsed&) {
    return fail(no_networks("network connect"));
}
Result<int> run_disconnect(Context&, const Parsed&) {
    return fail(no_networks("network disconnect"));
}

constexpr std::array<std::string_view, 1> kListAliases{"list"};
constexpr Verb kNetworkList{
    .name = "ls",
    .aliases = kListAliases,
    .synopsis = "[options]",
    .summary = "list networks: the host's, and none",
    .about = "Lists the networks that containers can have, as docker does. Their IDs never change.",
    .example = "knarr network ls --filter driver=host",
    .options = kListOptions,
    .run = run_list,
};
constexpr Verb kNetworkInspect{
    .name = "inspect",
    .synopsis = "[options] NETWORK...",
    .summary = "print all about networks as JSON",
    .about =
        "Prints docker's shape of each network, with the containers that run in it, as one JSON\n"
        "array.",
    .example = "knarr network inspect -f '{{.Driver}}' host",
    .options = kInspectOptions,
    .run = run_inspect,
};
constexpr Verb kNetworkPrune{
    .name = "prune",
    .synopsis = "[options]",
    .summary = "remove nothing: there are no networks that somebody made",
    .about =
        "Succeeds without a word, as docker does where nothing is to be removed, so that\n"
        "scripts which clean up go on. Asks before, unless --force is given.",
    .example = "knarr network prune -f",
    .options = kPruneOptions,
    .run = run_prune,
};
constexpr std::array<std::string_view, 1> kRemoveAliases{"remove"};
constexpr Verb kNetworkRemove{
    .name = "rm",
    .aliases = kRemoveAliases,
    .synopsis = "[-f] NETWORK...",
    .summary = "not built: there are no networks that could go",
    .about =
        "Is an error: host and none stay. With --force other names are none, as docker has it.",
    .example = "knarr network rm -f left-over",
    .options = kRemoveOptions,
    .run = run_remove,
};
constexpr std::string_view kAboutUnbuilt =
    "Is an error that says so: there are no networks between containers yet. `run --network host`\n"
    "gives a container the host's network, where others reach it at localhost.";
constexpr Verb kNetworkCreate{
    .name = "create",
    .synopsis = "NETWORK",
    .summary = "not built: run --network host, or none",
    .about = kAboutUnbuilt,
    .example = "knarr run --network host web",
    .rules = {.refused = kRefusedByCreate},
    .run = run_create,
};
constexpr Verb kNetworkConnect{
    .name = "connect",
    .synopsis = "NETWORK ID",
    .summary = "not built: run --network host, or none",
    .about = kAboutUnbuilt,
    .example = "knarr run --network host web",
    .rules = {.refused = kRefusedByConnect},
    .run = run_connect,
};
constexpr Verb kNetworkDisconnect{
    .name = "disconnect",
    .synopsis = "NETWORK ID",
    .summary = "not built: run --network host, or none",
    .about = kAboutUnbuilt,
    .example = "knarr run --network none web",
    .rules = {.refused = kRefusedByConnect},
    .run = run_disconnect,
};
constexpr std::array kNetworkVerbs{&kNetworkList,
                                   &kNetworkInspect,
                                   &kNetworkPrune,
                                   &kNetworkRemove,
                                   &kNetworkCreate,
                                   &kNetworkConnect,
                                   &kNetworkDisconnect,
                                   &kNetworkExists};

}  // namespace

constexpr Verb kNetwork{
    .name = "network",
    .synopsis = "VERB [options] [arguments]",
    .summary = "the two networks that there are, host and none: network ls, inspect, prune",
    .about =
        "Holds docker's verbs on networks. A container has the host's network or loopback alone,\n"
        "as `run --network host` or `--network none` says; others are not built.",
    .example = "knarr network ls",
    .inner = kNetworkVerbs,
};

}  // namespace knarr::cli
