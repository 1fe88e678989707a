// The verbs on images: pull, images, rmi, and `image` with list, inspect, rm, pull.

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/json_template.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr auto kPullOptions = with_registry_options(std::array{
    kPlatformOption,
    Option{.name = "quiet", .letter = 'q', .help = "no progress; print the image's ID only"},
    kProgressOption,
});

Result<int> run_pull(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "IMAGE"));
    const PullOptions options = KNARR_TRY(parse_pull_options(args));
    Engine engine = KNARR_TRY(open_engine(context));
    const ProgressStyle style = KNARR_TRY(wanted_style(args));
    ProgressView progress(style);
    Result<std::string> pulled = engine.pull_image(
        std::string(name), options, [&](const PullProgress& news) { progress.show(news); });
    progress.finish();
    const std::string id = KNARR_TRY(std::move(pulled));
    const bool for_people = style == ProgressStyle::lines || style == ProgressStyle::terminal;
    if (for_people && !progress.transferred()) {
        print_error("up to date: no layer was missing\n");
    }
    KNARR_TRY(print(id + "\n"));
    return 0;
}

constexpr std::array kListOptions{
    Option{.name = "json", .help = "print a JSON array, as docker's API has it"},
    kRowsOption,
    Option{.name = "quiet", .letter = 'q', .help = "print IDs only"},
    Option{.name = "no-trunc", .help = "print IDs whole"},
    Option{.name = "all", .letter = 'a', .help = "no effect: all images are always shown"},
};

std::string images_table(const std::vector<ImageSummary>& all, bool whole) {
    std::vector<std::vector<std::string>> rows{
        {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"}};
    for (const ImageSummary& image : all) {
        const std::vector<std::string> none{"<none>"};
        for (const std::string& reference : image.references.empty() ? none : image.references) {
            auto [repository, tag] = split_reference(reference);
            rows.push_back({std::move(repository),
                            std::move(tag),
                            shown_id(image.id, whole),
                            ago(parse_time(image.created), now_s()),
                            decimal_size(image.size)});
        }
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
        json.member("Created", std::max<std::int64_t>(parse_time(image.created), 0));
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

/// As Go writes a time, "2026-01-02 03:04:05 +0000 UTC".
std::string go_time(std::int64_t seconds) {
    const std::string text = format_time(Clock::Wall(std::chrono::seconds(seconds)));
    return text.substr(0, 10) + " " + text.substr(11, 8) + " +0000 UTC";
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
            json.member("CreatedAt", go_time(parse_time(image.created)));
            json.member("CreatedSince", ago(parse_time(image.created), now_s()));
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
    KNARR_TRY(no_arguments(args));
    const ImageFormat format = KNARR_TRY(image_format(args));
    const Engine engine = KNARR_TRY(open_engine(context));
    const auto all = KNARR_TRY(engine.images());
    const bool whole = args.flag("no-trunc");
    std::string text;
    if (args.flag("quiet")) {
        for (const ImageSummary& image : all) {
            text += shown_id(image.id, whole) + "\n";
        }
    } else if (format == ImageFormat::table) {
        text = images_table(all, whole);
    } else {
        text = format == ImageFormat::json
                   ? images_json(all)
                   : KNARR_TRY(by_template(args, kImageHeadings, image_rows(all, whole)));
    }
    KNARR_TRY(print(text));
    return 0;
}

Result<int> run_rmi(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? IMAGE is missing");
    }
    Engine engine = KNARR_TRY(open_engine(context));
    Result<> first;
    for (const std::string_view name : args.positionals) {
        const Result<RemovedImage> removed = engine.remove_image(name);
        if (!removed) {
            if (first) {
                first = fail(Error(removed.error()));
            } else {
                context.reporter.error(removed.error());
            }
            continue;
        }
        std::string text;
        for (const std::string& reference : removed->untagged) {
            text += "Untagged: " + printable(reference, 1024) + "\n";
        }
        for (const std::string& digest : removed->deleted) {
            text += "Deleted: " + digest + "\n";
        }
        KNARR_TRY(print(text));
    }
    KNARR_TRY(std::move(first));
    return 0;
}

Result<int> run_inspect(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? IMAGE is missing");
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    if (const auto format = args.find("format"); format && *format != "json") {
        const Template shown = KNARR_TRY(Template::parse(*format));
        for (const std::string_view name : args.positionals) {
            const std::string json = KNARR_TRY(engine.inspect_image(name));
            const std::string text = KNARR_TRY(shown.render(json));
            KNARR_TRY(print(text + "\n"));
        }
        return 0;
    }
    // One array whatever the number, so that a caller reads one shape.
    std::string out = "[";
    for (const std::string_view name : args.positionals) {
        out += out.size() == 1 ? "\n" : ",\n";
        out += KNARR_TRY(engine.inspect_image(name));
    }
    KNARR_TRY(print(out + "\n]\n"));
    return 0;
}

constexpr std::array<std::string_view, 1> kListAliases{"ls"};
constexpr std::array<std::string_view, 1> kRmAliases{"remove"};

constexpr Verb kImageList{
    .name = "list",
    .aliases = kListAliases,
    .synopsis = "[options]",
    .summary = "list stored images",
    .about = "The same as `knarr images`.",
    .example = "knarr image list --json",
    .options = kListOptions,
    .run = run_images,
};
constexpr Verb kImagePull{
    .name = "pull",
    .synopsis = "[options] IMAGE",
    .summary = "bring an image into the store",
    .about = "The same as `knarr pull`.",
    .example = "knarr image pull busybox:1.36",
    .options = kPullOptions,
    .run = run_pull,
};
constexpr Verb kImageRm{
    .name = "rm",
    .aliases = kRmAliases,
    .synopsis = "IMAGE...",
    .summary = "remove images from the store",
    .about = "The same as `knarr rmi`.",
    .example = "knarr image rm busybox:1.36",
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
    &kImageRootfs,  &kImageExport, &kImageTags,  &kImageReferrers, &kImageDelete};

}  // namespace

std::pair<std::string, std::string> split_reference(const std::string& reference) {
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

constexpr Verb kPull{
    .name = "pull",
    .synopsis = "[options] IMAGE",
    .summary = "bring an image into the store",
    .about =
        "Fetches an image, checks every byte against its digest, and unpacks its layers. Short\n"
        "names are docker's: busybox is docker.io/library/busybox:latest. `oci:DIR[:TAG]`,\n"
        "`oci-archive:FILE[:TAG]` and `docker-archive:FILE[:TAG]` are read without a registry.\n"
        "What is stored already is not fetched again. Progress goes to standard error, the "
        "image's\n"
        "ID to standard output.",
    .example = "knarr pull --quiet docker.io/library/busybox:latest",
    .options = kPullOptions,
    .run = run_pull,
};

constexpr Verb kImages{
    .name = "images",
    .synopsis = "[options]",
    .summary = "list stored images",
    .about = "Lists the stored images, one line for each name. SIZE counts their compressed blobs.",
    .example = "knarr images --quiet",
    .options = kListOptions,
    .run = run_images,
};

constexpr Verb kRmi{
    .name = "rmi",
    .synopsis = "IMAGE...",
    .summary = "remove images from the store",
    .about =
        "Removes the name; with the last name of an image also its blobs and layers, as far as no\n"
        "other image needs them. An image that a container stands on is an error.",
    .example = "knarr rmi busybox:latest",
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
