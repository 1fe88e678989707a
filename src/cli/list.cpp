#include "cli/containers.h"
#include "cli/table.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array<std::string_view, 1> kAliases{"ls"};
constexpr std::array kOptions{
    Option{.name = "format",
           .letter = 'f',
           .value = "FORMAT",
           .help = "table or json",
           .fallback = "table"},
    Option{.name = "json", .help = "the same as --format json"},
    Option{.name = "quiet", .letter = 'q', .help = "print IDs only"},
    Option{.name = "all", .letter = 'a', .help = "no effect: all states are always shown"},
};

std::string as_table(const std::vector<ContainerInfo>& all) {
    std::vector<std::vector<std::string>> rows{
        {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const ContainerInfo& info : all) {
        if (!info.damage.empty()) {
            rows.push_back({info.id, "-", "damaged", info.damage, "-", "-"});
            continue;
        }
        std::string status(name_of(info.state));
        if (info.state == ContainerState::stopped && info.exit_code) {
            status += fmt::format(" ({})", *info.exit_code);
        }
        rows.push_back({info.id,
                        std::to_string(info.pid),
                        std::move(status),
                        info.bundle,
                        info.created,
                        owner_name(info.owner_uid)});
    }
    return format_table(rows);
}

Result<int> run_list(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const ListFormat format = KNARR_TRY(list_format(args));
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    std::string text;
    if (args.flag("quiet")) {
        for (const ContainerInfo& info : all) {
            text += info.id + "\n";
        }
    } else {
        text = format == ListFormat::json ? list_json(all) + "\n" : as_table(all);
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kList{
    .name = "list",
    .aliases = kAliases,
    .synopsis = "[options]",
    .summary = "list all containers",
    .about =
        "Lists the containers of this state directory in every state. A stopped one shows the "
        "exit\n"
        "code of its program behind the status where it is known; one whose record cannot be\n"
        "understood is shown as damaged, with the reason, and can be removed by force.",
    .example = "knarr list --format json",
    .options = kOptions,
    .run = run_list,
};

}  // namespace knarr::cli
