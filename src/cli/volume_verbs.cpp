// volume create, ls, inspect, rm and prune, in docker's words and shapes.

#include <array>
#include <functional>

#include "cli/confirm.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/inspected.h"
#include "cli/key_value.h"
#include "cli/prune.h"
#include "cli/row_format.h"
#include "cli/table.h"
#include "cli/volume.h"
#include "cli/volume_filter.h"
#include "core/text.h"
#include "engine/volumes.h"
#include "platform/task.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

using engine::VolumeInfo;

Result<std::string> data_root(const Context& context) {
    return sys::absolute(context.globals.data_root);
}

void tell_damage(Context& context, const VolumeInfo& volume) {
    if (!volume.damage.empty()) {
        context.reporter.warn(fmt::format(
            "volume {}: when it was made and its labels are lost: {}", volume.name, volume.damage));
    }
}

constexpr std::array kCreateOptions{
    Option{.name = "driver",
           .letter = 'd',
           .value = "NAME",
           .help = "local is the only one",
           .fallback = "local"},
    Option{.name = "label",
           .value = "KEY=VALUE",
           .help = "a label, shown by inspect and chosen by --filter",
           .repeatable = true},
    Option{.name = "opt",
           .letter = 'o',
           .value = "NAME=VALUE",
           .help = "not built: an option of the driver",
           .repeatable = true},
    Option{.name = "name", .value = "NAME", .help = "the same as the argument"},
};

Result<int> run_create(Context& context, const Parsed& args) {
    if (args.positionals.size() > 1 || (args.has("name") && !args.positionals.empty())) {
        return fail(Errc::invalid_argument, "one name is wanted, or none");
    }
    KNARR_TRY(check_volume_driver(args.get("driver", "local")));
    if (args.has("opt")) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "--opt is not built: the driver local has no options",
                          .hint = "for another place, run --mount type=bind,source=DIR; for "
                                  "memory, --mount type=tmpfs"});
    }
    engine::VolumeWish wish;
    wish.name = args.positionals.empty() ? args.get("name") : args.positionals.front();
    wish.anonymous = wish.name.empty() && !args.has("name") && args.positionals.empty();
    if (wish.anonymous) {
        wish.name = engine::new_volume_name();
    }
    for (const std::string_view label : args.all("label")) {
        const auto [key, value] = KNARR_TRY(parse_key_value(label, "--label", Bare::allowed));
        wish.labels[key] = value;
    }
    const std::string root = KNARR_TRY(data_root(context));
    const VolumeInfo made = KNARR_TRY(engine::make_volume(root, wish));
    KNARR_TRY(print(made.name + "\n"));
    return 0;
}

constexpr std::array kListOptions{
    Option{.name = "filter",
           .letter = 'f',
           .value = "KEY=VALUE",
           .help = "only those: name=EXPRESSION, label=KEY[=VALUE], dangling=BOOL, driver=NAME",
           .repeatable = true},
    kRowFormatOption,
    Option{.name = "quiet", .letter = 'q', .help = "print names only"},
    Option{.name = "noheading", .help = "the table without its heading"},
};

/// docker's headings, of `volume ls --format "table ..."`.
constexpr std::string_view kHeadings =
    R"({"Driver":"DRIVER","Name":"VOLUME NAME","Scope":"SCOPE","Mountpoint":"MOUNTPOINT",)"
    R"("Labels":"LABELS","Links":"LINKS","Size":"SIZE","Status":"STATUS","Group":"GROUP",)"
    R"("Availability":"AVAILABILITY"})";

/// Those that fit all filters. Who uses them is looked up where a filter, or the caller, asks.
Result<std::vector<VolumeInfo>> chosen_volumes(Context& context,
                                               const std::vector<VolumeFilter>& filters,
                                               bool unused_only) {
    const std::string root = KNARR_TRY(data_root(context));
    std::map<std::string, std::vector<std::string>> users;
    if (unused_only || asks_for_users(filters)) {
        users = KNARR_TRY(engine::users_of_volumes(root));
    }
    std::vector<VolumeInfo> chosen;
    for (VolumeInfo& volume : KNARR_TRY(engine::list_volumes(root))) {
        const bool used = users.contains(volume.name);
        if (!(unused_only && used) && fits_all(volume, used, filters)) {
            tell_damage(context, volume);
            chosen.push_back(std::move(volume));
        }
    }
    return chosen;
}

Result<int> run_list(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const auto filters = KNARR_TRY(parse_volume_filters(args.all("filter")));
    const std::string_view format = args.get("format", "table");
    const bool table = format == "table" && !args.flag("quiet");
    std::vector<std::vector<std::string>> rows;
    if (!args.flag("noheading")) {
        rows.push_back({"DRIVER", "VOLUME NAME"});
    }
    RowFormat chosen = KNARR_TRY(RowFormat::parse(format, kHeadings));
    std::string text;
    for (const VolumeInfo& volume : KNARR_TRY(chosen_volumes(context, filters, false))) {
        if (args.flag("quiet")) {
            text += volume.name + "\n";
        } else if (table) {
            rows.push_back({"local", volume.name});
        } else {
            KNARR_TRY(chosen.add(volume_line_json(volume)));
        }
    }
    if (!args.flag("quiet")) {
        text = table ? format_table(rows) : KNARR_TRY(std::move(chosen).text());
    }
    KNARR_TRY(print(text));
    return 0;
}

constexpr std::array kInspectOptions{kInspectFormatOption};

Result<int> run_inspect(Context& context, const Parsed& args) {
    const std::string root = KNARR_TRY(data_root(context));
    return print_inspected(
        context, args, "volume", [&](std::string_view name) -> Result<std::string> {
            const VolumeInfo volume = KNARR_TRY(engine::find_volume(root, std::string(name)));
            tell_damage(context, volume);
            return volume_json(volume);
        });
}

constexpr std::array kRemoveOptions{
    Option{.name = "force", .letter = 'f', .help = "one that is not there is no error"},
    Option{
        .name = "all", .letter = 'a', .help = "instead of NAME: all; those in use stay, an error"},
};

Result<int> run_remove(Context& context, const Parsed& args) {
    const std::string root = KNARR_TRY(data_root(context));
    Parsed named = args;
    std::vector<std::string> all;
    if (args.flag("all")) {
        KNARR_TRY(no_arguments(args));
        for (const VolumeInfo& volume : KNARR_TRY(engine::list_volumes(root))) {
            all.push_back(volume.name);
        }
        named.positionals.assign(all.begin(), all.end());
        if (all.empty()) {
            return 0;
        }
    }
    return for_each_named(context, named, "volume", [&](std::string_view name) -> Result<> {
        Result<> removed = engine::remove_volume(root, std::string(name));
        if (!removed && args.flag("force") && removed.error().code == Errc::not_found) {
            return print(fmt::format("{}\n", name));  // as docker has it
        }
        KNARR_TRY(std::move(removed));
        return print(fmt::format("{}\n", name));
    });
}

constexpr std::array kPruneOptions{
    Option{.name = "all", .letter = 'a', .help = "named ones too, not only anonymous ones"},
    Option{.name = "force", .letter = 'f', .help = "do not ask"},
    Option{.name = "filter",
           .value = "KEY=VALUE",
           .help = "only those: label=KEY[=VALUE], label!=KEY[=VALUE]; all=true is --all",
           .repeatable = true},
};

Result<int> run_prune(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const PruneFilter filter = KNARR_TRY(prune_filter(args, {.until = false, .truth = "all"}));
    const bool all = args.flag("all") || filter.truth().value_or(false);
    if (!KNARR_TRY(confirmed(args,
                             all ? "all volumes not used by at least one container"
                                 : "anonymous local volumes not used by at least one container"))) {
        return 0;
    }
    Pruned pruned = KNARR_TRY(prune_volumes(context, filter, all));
    if (!pruned.failure) {
        KNARR_TRY(print(pruned.text));  // what is removed is removed
        return fail(std::move(pruned.failure).error());
    }
    KNARR_TRY(print(fmt::format("{}{}Total reclaimed space: {}\n",
                                pruned.text,
                                pruned.text.empty() ? "" : "\n",
                                decimal_size(pruned.bytes))));
    return 0;
}

constexpr Verb kVolumeCreate{
    .name = "create",
    .synopsis = "[options] [NAME]",
    .summary = "make a volume, print its name",
    .about =
        "Makes an empty volume; one that is there stays as it is. Without NAME it gets one of 64\n"
        "digits.",
    .example = "knarr volume create data",
    .options = kCreateOptions,
    .run = run_create,
};
constexpr std::array<std::string_view, 1> kListAliases{"list"};
constexpr Verb kVolumeList{
    .name = "ls",
    .aliases = kListAliases,
    .synopsis = "[options]",
    .summary = "list volumes",
    .about = "Lists all volumes by name. Those that no container has are dangling.",
    .example = "knarr volume ls --filter dangling=true",
    .options = kListOptions,
    .run = run_list,
};
constexpr Verb kVolumeInspect{
    .name = "inspect",
    .synopsis = "[options] NAME...",
    .summary = "print all about volumes as JSON",
    .about = "Prints docker's shape of each volume, as one JSON array.",
    .example = "knarr volume inspect -f '{{.Mountpoint}}' data",
    .options = kInspectOptions,
    .run = run_inspect,
};
constexpr std::array<std::string_view, 1> kRemoveAliases{"remove"};
constexpr Verb kVolumeRemove{
    .name = "rm",
    .aliases = kRemoveAliases,
    .synopsis = "[options] NAME...",
    .summary = "remove volumes with all that is in them",
    .about = "Removes volumes. One that a container has, also one that has ended, is an error.",
    .example = "knarr volume rm data",
    .options = kRemoveOptions,
    .run = run_remove,
};
constexpr Verb kVolumePrune{
    .name = "prune",
    .synopsis = "[options]",
    .summary = "remove volumes that no container has",
    .about =
        "Removes anonymous volumes that no container has, with --all named ones too. Asks before,\n"
        "unless --force is given.",
    .example = "knarr volume prune -f",
    .options = kPruneOptions,
    .run = run_prune,
};
constexpr std::array kVolumeVerbs{
    &kVolumeCreate, &kVolumeList, &kVolumeInspect, &kVolumeRemove, &kVolumePrune, &kVolumeExists};

}  // namespace

Result<Pruned> prune_volumes(Context& context, const PruneFilter& filter, bool all) {
    const std::string root = KNARR_TRY(data_root(context));
    Pruned pruned;
    for (const VolumeInfo& volume : KNARR_TRY(chosen_volumes(context, {}, true))) {
        if ((!all && !volume.anonymous) || !filter.fits(shown_labels(volume), volume.created)) {
            continue;
        }
        const Result<std::uint64_t> size = engine::volume_bytes(root, volume.name);
        Result<> done = engine::remove_volume(root, volume.name);
        if (done) {
            pruned.text += (pruned.text.empty() ? "Deleted Volumes:\n" : "") + volume.name + "\n";
            pruned.bytes += size.value_or(0);
        } else if (done.error().code != Errc::wrong_state && done.error().code != Errc::not_found) {
            pruned.failure = std::move(done);
            return pruned;
        }  // else somebody took it, or removed it
    }
    KNARR_TRY(engine::sweep_volumes(root));
    return pruned;
}

constexpr Verb kVolume{
    .name = "volume",
    .synopsis = "VERB [options] [arguments]",
    .summary = "directories that outlive containers: volume create, ls, inspect, rm, prune",
    .about =
        "Holds the verbs on volumes. `run -v NAME:DIR` shows one in a container, and makes it\n"
        "where it is missing.",
    .example = "knarr volume ls",
    .inner = kVolumeVerbs,
};

}  // namespace knarr::cli
