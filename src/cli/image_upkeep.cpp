// image gc, prune, verify and df: the store's upkeep.

#include <algorithm>
#include <array>

#include "cli/confirm.h"
#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/moment.h"
#include "cli/prune.h"
#include "cli/table.h"
#include "core/text.h"
#include "image/reference.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr Option kJsonOption{.name = "json", .help = "print JSON"};

constexpr std::array kGcOptions{kJsonOption};

Result<int> run_gc(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    Engine engine = KNARR_TRY(open_engine(context));
    const RemovedGarbage removed = KNARR_TRY(engine.collect_garbage());
    if (args.flag("json")) {
        spec::JsonWriter json;
        json.begin_object().member("Blobs", removed.blobs).member("Layers", removed.layers);
        json.member("Quarantined", removed.quarantined);
        json.member("SpaceReclaimed", removed.bytes).end_object();
        KNARR_TRY(print(std::move(json).text() + "\n"));
        return 0;
    }
    KNARR_TRY(
        print(fmt::format("Removed: {} blobs, {} layers, {} quarantined blobs\n"
                          "Total reclaimed space: {}\n",
                          removed.blobs,
                          removed.layers,
                          removed.quarantined,
                          decimal_size(removed.bytes))));
    return 0;
}

constexpr std::array kPruneOptions{
    Option{.name = "all",
           .letter = 'a',
           .help = "all images that no container uses, not only those without a name"},
    Option{.name = "force", .letter = 'f', .help = "do not ask"},
    Option{.name = "filter",
           .value = "KEY=VALUE",
           .help = "only those: until=24h (made so long ago), label=KEY[=VALUE], "
                   "label!=KEY[=VALUE]; dangling=false is --all",
           .repeatable = true},
    kJsonOption,
};

Result<int> run_prune(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const PruneFilter filter = KNARR_TRY(prune_filter(args, {.truth = "dangling"}));
    const bool all = filter.truth() ? !*filter.truth() : args.flag("all");
    if (!KNARR_TRY(confirmed(args,
                             all ? "all images without at least one container associated to them"
                                 : "all dangling images"))) {
        return 0;
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const PrunedImages pruned = KNARR_TRY(engine.prune_images(images_to_prune(filter, all)));
    if (args.flag("json")) {
        spec::JsonWriter json;
        json.begin_object().key("ImagesDeleted").begin_array();
        for (const std::string& reference : pruned.untagged) {
            const std::string name = image::familiar_reference(reference);
            json.begin_object().member("Untagged", name).end_object();
        }
        for (const std::string& digest : pruned.deleted) {
            json.begin_object().member("Deleted", digest).end_object();
        }
        json.end_array().member("SpaceReclaimed", pruned.bytes).end_object();
        KNARR_TRY(print(std::move(json).text() + "\n"));
        return 0;
    }
    std::string text = pruned.untagged.empty() ? "" : "Deleted Images:\n";
    text += removed_images_text(pruned);
    text += fmt::format(
        "{}Total reclaimed space: {}\n", text.empty() ? "" : "\n", decimal_size(pruned.bytes));
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

PruneRequest images_to_prune(const PruneFilter& filter, bool all) {
    PruneRequest request{.all = all};
    if (filter.chooses()) {
        request.only = [filter](const ImageSummary& image) {
            return filter.fits(image.labels, image.created);
        };
    }
    return request;
}

std::string removed_images_text(const PrunedImages& pruned) {
    std::string text = untagged_text("untagged", pruned.untagged);
    for (const std::string& digest : pruned.gone) {
        text += fmt::format("deleted: {}\n", digest);
    }
    return text;
}

namespace {

constexpr std::array kVerifyOptions{
    Option{.name = "keep", .help = "only report damaged blobs, put none aside"},
    kJsonOption,
};

void write_broken(spec::JsonWriter& json,
                  std::string_view name,
                  const std::vector<BrokenBlob>& blobs) {
    json.key(name).begin_array();
    for (const BrokenBlob& blob : blobs) {
        json.begin_object().member("Digest", blob.digest).member("Size", blob.size);
        json.member("Problem", blob.problem).member("Images", blob.references).end_object();
    }
    json.end_array();
}

std::string broken_line(std::string_view kind, const BrokenBlob& blob) {
    std::string line = fmt::format("{} {}: {}", kind, blob.digest, printable(blob.problem, 1024));
    for (std::size_t i = 0; i < blob.references.size(); ++i) {
        const std::string name = image::familiar_reference(blob.references[i]);
        line += (i == 0 ? "; needed by " : ", ") + printable(name, 1024);
    }
    return line + "\n";
}

Result<int> run_verify(Context& context, const Parsed& args) {
    Engine engine = KNARR_TRY(open_engine(context));
    const DamagePolicy policy = args.flag("keep") ? DamagePolicy::report : DamagePolicy::quarantine;
    const VerifyReport report =
        KNARR_TRY(engine.verify_images({args.positionals.begin(), args.positionals.end()}, policy));
    std::string text;
    if (args.flag("json")) {
        spec::JsonWriter json(spec::JsonLayout::indented);
        json.begin_object().member("Blobs", report.blobs).member("Bytes", report.bytes);
        write_broken(json, "Damaged", report.damaged);
        write_broken(json, "Missing", report.missing);
        json.end_object();
        text = std::move(json).text() + "\n";
    } else {
        for (const BrokenBlob& blob : report.damaged) {
            text += broken_line("damaged", blob);
        }
        for (const BrokenBlob& blob : report.missing) {
            text += broken_line("missing", blob);
        }
        text += fmt::format("{} blobs, {}: {} damaged, {} missing\n",
                            report.blobs,
                            decimal_size(report.bytes),
                            report.damaged.size(),
                            report.missing.size());
    }
    KNARR_TRY(print(text));
    if (report.damaged.empty() && report.missing.empty()) {
        return 0;
    }
    if (!args.flag("json")) {
        print_error(policy == DamagePolicy::quarantine
                        ? "hint: damaged blobs are put aside; knarr pull IMAGE fetches what an "
                          "image lacks\n"
                        : "hint: without --keep damaged blobs are put aside, and knarr pull IMAGE "
                          "fetches them\n");
    }
    return describe(Errc::corrupt).exit_status;
}

constexpr std::array kDfOptions{
    Option{.name = "verbose", .letter = 'v', .help = "also each image, and what it shares"},
    kJsonOption,
    kRowsOption,
};

void write_line(spec::JsonWriter& json, std::string_view type, const UsageLine& line) {
    json.begin_object().member("Type", type).member("TotalCount", line.total);
    json.member("Active", line.active).member("Size", line.bytes);
    json.member("Reclaimable", line.reclaimable).end_object();
}

std::string usage_json(const StoreUsage& usage) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object().key("Usage").begin_array();
    write_line(json, "Images", usage.images);
    write_line(json, "Layers", usage.layers);
    write_line(json, "Garbage", usage.garbage);
    json.end_array().key("Images").begin_array();
    for (const ImageUsage& one : usage.each) {
        json.begin_object().member("Id", one.image.id).member("RepoTags", one.image.repo_tags);
        json.member("Size", one.image.size).member("SharedSize", one.shared);
        json.member("UniqueSize", one.unique).member("Containers", one.containers).end_object();
    }
    json.end_array().end_object();
    return std::move(json).text() + "\n";
}

std::string shown_reclaimable(const UsageLine& line) {
    std::string reclaimable = decimal_size(line.reclaimable);
    if (line.bytes > 0) {
        reclaimable += fmt::format(
            " ({:.0f}%)",
            100 * static_cast<double>(line.reclaimable) / static_cast<double>(line.bytes));
    }
    return reclaimable;
}

std::vector<std::string> usage_row(const std::string& type, const UsageLine& line) {
    return {type,
            fmt::format("{}", line.total),
            fmt::format("{}", line.active),
            decimal_size(line.bytes),
            shown_reclaimable(line)};
}

constexpr std::string_view kUsageHeadings =
    R"({"Type":"TYPE","TotalCount":"TOTAL","Active":"ACTIVE","Size":"SIZE",)"
    R"("Reclaimable":"RECLAIMABLE"})";

/// As docker's `system df` has them, for --format.
std::vector<std::string> usage_rows(const StoreUsage& usage) {
    std::vector<std::string> rows;
    for (const auto& [type, line] : {std::pair("Images", usage.images),
                                     std::pair("Layers", usage.layers),
                                     std::pair("Garbage", usage.garbage)}) {
        spec::JsonWriter json;
        json.begin_object().member("Active", fmt::format("{}", line.active));
        json.member("Reclaimable", shown_reclaimable(line));
        json.member("Size", decimal_size(line.bytes));
        json.member("TotalCount", fmt::format("{}", line.total)).member("Type", type);
        json.end_object();
        rows.push_back(std::move(json).text());
    }
    return rows;
}

std::string usage_table(const StoreUsage& usage, bool verbose) {
    std::string text = format_table({{"TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"},
                                     usage_row("Images", usage.images),
                                     usage_row("Layers", usage.layers),
                                     usage_row("Garbage", usage.garbage)});
    return verbose ? text + "\n" + each_image_table(usage) : text;
}

}  // namespace

std::string each_image_table(const StoreUsage& usage) {
    std::vector<std::vector<std::string>> rows{{"REPOSITORY",
                                                "TAG",
                                                "IMAGE ID",
                                                "CREATED",
                                                "SIZE",
                                                "SHARED SIZE",
                                                "UNIQUE SIZE",
                                                "CONTAINERS"}};
    for (const ImageUsage& one : usage.each) {
        for (const std::string& reference : one.image.references) {
            auto [repository, tag] = split_reference(reference);
            rows.push_back({std::move(repository),
                            std::move(tag),
                            shown_id(one.image.id, false),
                            ago(seconds_of(one.image.created), now_s()),
                            decimal_size(one.image.size),
                            decimal_size(one.shared),
                            decimal_size(one.unique),
                            fmt::format("{}", one.containers)});
        }
    }
    return format_table(rows);
}

namespace {

Result<int> run_df(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const ImageFormat format = KNARR_TRY(image_format(args));
    const Engine engine = KNARR_TRY(open_engine(context));
    const StoreUsage usage = KNARR_TRY(engine.image_usage());
    std::string text;
    if (format == ImageFormat::rows) {
        text = KNARR_TRY(by_template(args, kUsageHeadings, usage_rows(usage)));
    } else {
        text = format == ImageFormat::json ? usage_json(usage)
                                           : usage_table(usage, args.flag("verbose"));
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kImageGc{
    .name = "gc",
    .synopsis = "[--json]",
    .summary = "remove blobs and layers that nothing needs",
    .about =
        "Removes blobs and unpacked layers that no image, no container and no running pull, run "
        "or\n"
        "load needs, and the damaged blobs that `image verify` put aside. It waits for none of\n"
        "them and takes nothing from them. An interrupted pull that is to be resumed begins anew\n"
        "after it.",
    .example = "knarr image gc",
    .options = kGcOptions,
    .run = run_gc,
};

constexpr Verb kImagePrune{
    .name = "prune",
    .synopsis = "[options]",
    .summary = "remove images without a name, or with -a all that no container uses",
    .about =
        "Removes the images that have no name, with --all every image that no container uses, and\n"
        "the garbage, as docker and podman do. Asks first, unless -f is given.",
    .example = "knarr image prune --all --force --filter until=168h",
    .options = kPruneOptions,
    .run = run_prune,
};

constexpr Verb kImageVerify{
    .name = "verify",
    .synopsis = "[options] [IMAGE...]",
    .summary = "read every blob again and put damaged ones aside",
    .about =
        "Reads every byte of all blobs, or of those of the images named, and compares it with its\n"
        "digest. A damaged blob is moved to DATA_ROOT/quarantine, so that the next `knarr pull` "
        "of\n"
        "its image fetches it again. The exit status is 6 when something is damaged or missing.\n"
        "Unpacked layers were compared when they were unpacked and are not read again.",
    .example = "knarr image verify --json",
    .options = kVerifyOptions,
    .run = run_verify,
};

constexpr Verb kImageDf{
    .name = "df",
    .synopsis = "[options]",
    .summary = "print how much room images take",
    .about =
        "Prints, as `docker system df` does, how many images, unpacked layers and pieces of "
        "garbage\n"
        "there are, how many containers use, their bytes, and what removing the unused ones would\n"
        "give back. A blob that images share is counted once. The fields of a template are "
        "docker's:\n"
        "Type, TotalCount, Active, Size and Reclaimable. A store that is read-only will do.",
    .example = "knarr image df --verbose",
    .options = kDfOptions,
    .run = run_df,
};

}  // namespace knarr::cli
