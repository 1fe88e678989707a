// The verbs on images: images, rmi, and `image` with list, inspect, rm.

#include <algorithm>
#include <array>

#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/image_filter.h"
#include "cli/image_verbs.h"
#include "cli/inspected.h"
#include "cli/json_template.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "core/text.h"
#include "image/reference.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::array kListOptions{
    Option{.name = "filter",
           .letter = 'f',
           .value = "KEY=VALUE",
           .help = "only those: reference=PATTERN, label=KEY[=VALUE], dangling=BOOL, before=IMAGE, "
                   "since=IMAGE, until=TIME",
           .repeatable = true},
    Option{.name = "digests", .help = "also the digests of their manifests"},
    Option{.name = "json", .help = "print a JSON array, as docker's API has it"},
    kRowsOption,
    Option{.name = "quiet", .letter = 'q', .help = "print IDs only"},
    Option{.name = "no-trunc", .help = "print IDs whole"},
    Option{.name = "noheading", .letter = 'n', .help = "leave out the table's first line"},
    Option{.name = "all", .letter = 'a', .help = "no effect: all images are always shown"},
};

/// What is shown besides, in docker's words.
struct TableWish {
    bool whole = false, digests = false, heading = true;
};

std::string images_table(const std::vector<ImageSummary>& all, const TableWish& wish) {
    std::vector<std::vector<std::string>> rows;
    if (wish.heading) {
        rows.push_back({"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"});
    }
    for (const ImageSummary& image : all) {
        const std::vector<std::string> none{"<none>"};
        for (const std::string& reference : image.references.empty() ? none : image.references) {
            auto [repository, tag] = split_reference(reference);
            rows.push_back({std::move(repository),
                            std::move(tag),
                            shown_id(image.id, wish.whole),
                            ago(seconds_of(image.created), now_s()),
                            decimal_size(image.size)});
            if (wish.digests) {
                rows.back().insert(rows.back().begin() + 2,
                                   image.digest.empty() ? "<none>" : image.digest);
            }
        }
    }
    if (wish.digests && wish.heading) {
        rows.front().insert(rows.front().begin() + 2, "DIGEST");
    }
    return format_table(rows);
}

/// The shape of docker's API, and what it has no place for: Digest, References, Platform.
std::string images_json(const std::vector<ImageSummary>& all) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_array();
    for (const ImageSummary& image : all) {
        json.begin_object().member("Id", image.id).member("ParentId", "");
        json.member("RepoTags", image.repo_tags).member("RepoDigests", image.repo_digests);
        json.member("Created", std::max<std::int64_t>(seconds_of(image.created).value_or(0), 0));
        json.member("Size", image.size).member("SharedSize", -1).key("Labels");
        if (image.labels.empty()) {
            json.null();
        } else {
            json.value(image.labels);
        }
        json.member("Containers", -1).member("Digest", image.digest);
        json.member("References", image.references).member("Platform", image.platform);
        json.end_object();
    }
    json.end_array();
    return std::move(json).text() + "\n";
}

constexpr std::string_view kImageHeadings =
    R"({"Containers":"CONTAINERS","CreatedAt":"CREATED AT","CreatedSince":"CREATED",)"
    R"("Digest":"DIGEST","ID":"IMAGE ID","Repository":"REPOSITORY","SharedSize":"SHARED SIZE",)"
    R"("Size":"SIZE","Tag":"TAG","UniqueSize":"UNIQUE SIZE","VirtualSize":"VIRTUAL SIZE"})";

/// As docker's command line has them, for --format.
std::vector<std::string> image_rows(const std::vector<ImageSummary>& all, bool whole) {
    std::vector<std::string> rows;
    for (const ImageSummary& image : all) {
        for (const std::string& reference : image.references) {
            const auto [repository, tag] = split_reference(reference);
            const std::string size = decimal_size(image.size);
            spec::JsonWriter json;
            json.begin_object().member("Containers", "N/A");
            json.member("CreatedAt", go_time(seconds_of(image.created)));
            json.member("CreatedSince", ago(seconds_of(image.created), now_s()));
            json.member("Digest", image.digest).member("ID", shown_id(image.id, whole));
            json.member("Repository", repository).member("SharedSize", "N/A").member("Size", size);
            json.member("Tag", tag).member("UniqueSize", "N/A").member("VirtualSize", size);
            json.end_object();
            rows.push_back(std::move(json).text());
        }
    }
    return rows;
}

Result<int> run_images(Context& context, const Parsed& args) {
    const std::string_view name =
        args.positionals.empty() ? "" : KNARR_TRY(one_argument(args, "IMAGE"));
    const ImageFilter filter = KNARR_TRY(ImageFilter::parse(name, args.all("filter"), now_s()));
    const ImageFormat format = KNARR_TRY(image_format(args));
    const Engine engine = KNARR_TRY(open_engine(context));
    const auto stored = KNARR_TRY(engine.images());
    auto all = KNARR_TRY(filter.chosen(stored));
    // docker's order, and those of one age by their names.
    std::ranges::stable_sort(all, std::ranges::greater{}, [](const ImageSummary& image) {
        return seconds_of(image.created).value_or(0);
    });
    const bool whole = args.flag("no-trunc");
    std::string text;
    if (args.flag("quiet")) {
        for (const ImageSummary& image : all) {
            text += shown_id(image.id, whole) + "\n";
        }
    } else if (format == ImageFormat::table) {
        text = images_table(
            all,
            {.whole = whole, .digests = args.flag("digests"), .heading = !args.flag("noheading")});
    } else {
        text = format == ImageFormat::json
                   ? images_json(all)
                   : KNARR_TRY(by_template(args, kImageHeadings, image_rows(all, whole)));
    }
    KNARR_TRY(print(text));
    return 0;
}

constexpr std::array kRemoveOptions{
    Option{.name = "force",
           .letter = 'f',
           .help = "also an ID with several names, and what containers that have ended stand on; "
                   "one that is not there is no error"},
    Option{.name = "no-prune", .help = "no effect: layers that others need always stay"},
};

Result<int> run_rmi(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? IMAGE is missing");
    }
    const bool force = args.flag("force");
    Engine engine = KNARR_TRY(open_engine(context));
    return for_each_of(context, args.positionals, [&](std::string_view name) -> Result<> {
        const Result<RemovedImage> removed =
            engine.remove_image(name, force ? RemoveMode::force : RemoveMode::when_stopped);
        if (!removed && force && removed.error().code == Errc::image_not_found) {
            context.reporter.warn(removed.error().message);  // as docker: no failure
            return {};
        }
        if (!removed) {
            return fail(removed.error());
        }
        std::string text = untagged_text("Untagged", removed->untagged);
        for (const std::string& digest : removed->gone) {
            text += "Deleted: " + digest + "\n";
        }
        return print(text);
    });
}

Result<int> run_inspect(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? IMAGE is missing");
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    return print_inspected(context, args, "IMAGE", [&](std::string_view name) {
        Result<std::string> found = engine.inspect_image(name);
        const bool is_missing = !found && found.error().code == Errc::image_not_found;
        context.failure_status = is_missing ? 1 : 0;  // docker's
        return found;
    });
}

constexpr std::array<std::string_view, 1> kListAliases{"ls"};
constexpr std::array<std::string_view, 1> kRmAliases{"remove"};

constexpr Verb kImageList{
    .name = "list",
    .aliases = kListAliases,
    .synopsis = "[options] [NAME[:TAG]]",
    .summary = "list stored images",
    .about = "The same as `knarr images`.",
    .example = "knarr image list --json",
    .options = kListOptions,
    .run = run_images,
};
constexpr Verb kImageRm{
    .name = "rm",
    .aliases = kRmAliases,
    .synopsis = "[-f] IMAGE...",
    .summary = "remove images from the store",
    .about = "The same as `knarr rmi`.",
    .example = "knarr image rm busybox:1.36",
    .options = kRemoveOptions,
    .run = run_rmi,
};
constexpr std::array kInspectOptions{kTemplateOption};
constexpr Verb kImageInspect{
    .name = "inspect",
    .synopsis = "[options] IMAGE...",
    .summary = "print what is known about images, as a JSON array",
    .about =
        "Prints one JSON array with an object for each image, in the shape that docker and podman\n"
        "use: Id, RepoTags, Config, RootFS, ...",
    .example = "knarr image inspect busybox",
    .options = kInspectOptions,
    .run = run_inspect,
};
constexpr std::array kInner{
    &kImageList,    &kImagePull,   &kPush,       &kImageRm,        &kImageInspect, &kTag,
    &kUntag,        &kHistory,     &kSave,       &kLoad,           &kImport,       &kImageMount,
    &kImageUnmount, &kImageGc,     &kImagePrune, &kImageVerify,    &kImageDf,      &kImageDiff,
    &kImageRootfs,  &kImageExport, &kImageTags,  &kImageReferrers, &kImageDelete,  &kImageExists};

}  // namespace

std::string untagged_text(std::string_view word, const std::vector<std::string>& references) {
    std::string text;
    for (const std::string& reference : references) {
        if (!reference.starts_with("sha256:")) {
            const std::string name = image::familiar_reference(reference);
            text += fmt::format("{}: {}\n", word, printable(name, 1024));
        }
    }
    return text;
}

std::pair<std::string, std::string> split_reference(const std::string& stored) {
    const std::string reference = image::familiar_reference(stored);
    const std::size_t at = reference.find('@');
    if (at != std::string::npos) {
        return {reference.substr(0, at), "<none>"};
    }
    if (reference.starts_with("sha256:")) {
        return {"<none>", "<none>"};
    }
    const std::size_t colon = reference.rfind(':');
    const std::size_t slash = reference.rfind('/');
    if (colon == std::string::npos || (slash != std::string::npos && colon < slash)) {
        return {reference, "<none>"};
    }
    return {reference.substr(0, colon), reference.substr(colon + 1)};
}

std::string shown_id(const std::string& id, bool whole) {
    if (id.empty()) {
        return "<damaged>";
    }
    if (whole) {
        return id;
    }
    const std::size_t colon = id.find(':');
    return id.substr(colon == std::string::npos ? 0 : colon + 1, 12);
}

constexpr Verb kImages{
    .name = "images",
    .synopsis = "[options] [NAME[:TAG]]",
    .summary = "list stored images",
    .about =
        "Lists the stored images, one line for each name; with NAME only those that are called "
        "so,\n"
        "in full or as docker shows it, where * stands for any part without a slash. The newest "
        "stand\n"
        "first. Filters of one kind are alternatives, but for labels. SIZE counts their "
        "compressed\n"
        "blobs.",
    .example = "knarr images --filter reference='debian:*' --quiet",
    .options = kListOptions,
    .run = run_images,
};

constexpr Verb kRmi{
    .name = "rmi",
    .synopsis = "[-f] IMAGE...",
    .summary = "remove images from the store",
    .about =
        "Removes the name; with the last name of an image also its blobs and layers, as far as no\n"
        "other image needs them. An image that a container stands on is an error, and so is an ID\n"
        "with several names; -f removes both, but for what a running container stands on. One "
        "that\n"
        "has ended keeps its layers and can be started again.",
    .example = "knarr rmi busybox:latest",
    .options = kRemoveOptions,
    .run = run_rmi,
};

constexpr Verb kImage{
    .name = "image",
    .synopsis = "VERB [options] [arguments]",
    .summary = "verbs on images: list, pull, rm, inspect, gc, verify, ...",
    .about = "Holds the verbs on images and their store.",
    .example = "knarr image inspect busybox",
    .inner = kInner,
};

}  // namespace knarr::cli
