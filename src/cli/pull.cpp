// pull: images into the store, from registries and from files.

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/progress.h"
#include "cli/pull_options.h"
#include "core/text.h"
#include "image/find.h"
#include "image/reference.h"

namespace knarr::cli {

namespace {

constexpr auto kPullOptions = with_registry_options(std::array{
    kPlatformOption,
    Option{.name = "quiet",
           .letter = 'q',
           .help = "no progress; print the image's name only, its ID where it comes from a file"},
    Option{.name = "all-tags",
           .letter = 'a',
           .help = "all images that the repository IMAGE has, one after the other"},
    kProgressOption,
});

/// One image that came.
struct Pulled {
    std::string id, reference, digest;
    bool is_new = false;  // the name meant nothing, or another image, before
    bool downloaded = false;
};

Result<Pulled> pull_one(Engine& engine,
                        std::string_view name,
                        const PullOptions& options,
                        ProgressStyle style) {
    ProgressView progress(style);
    Pulled pulled;
    Result<std::string> id =
        engine.pull_image(std::string(name), options, [&](const PullProgress& news) {
            if (news.phase == PullPhase::finished) {
                pulled.reference = news.reference;
                pulled.digest = news.digest;
                pulled.is_new = news.is_new;
            }
            pulled.downloaded = pulled.downloaded || news.phase == PullPhase::downloading;
            progress.show(news);
        });
    progress.finish();
    pulled.id = KNARR_TRY(std::move(id));
    return pulled;
}

/// docker's last lines but the name.
std::string digest_line(const Pulled& pulled) {
    return fmt::format("Digest: {}\n", pulled.digest);
}
std::string status_line(bool is_new, const std::string& shown_name) {
    return fmt::format("Status: {} for {}\n",
                       is_new ? "Downloaded newer image" : "Image is up to date",
                       shown_name);
}

/// A layout or an archive, as podman has it: the ID, and for people under which name it is stored.
Result<> pull_file(Engine& engine,
                   std::string_view name,
                   const PullOptions& options,
                   ProgressStyle style) {
    const Pulled pulled = KNARR_TRY(pull_one(engine, name, options, style));
    if (style == ProgressStyle::lines || style == ProgressStyle::terminal) {
        const std::string shown = printable(image::familiar_reference(pulled.reference), 1024);
        print_error(fmt::format("{}stored as {}\nhint: knarr run --rm {}\n",
                                pulled.downloaded ? "" : "up to date: no layer was missing\n",
                                shown,
                                shown));
    }
    return print(pulled.id + "\n");
}

/// docker's --all-tags: the repository.
Result<int> pull_all(Context& context,
                     Engine& engine,
                     std::string_view name,
                     const PullOptions& options,
                     ProgressStyle style) {
    KNARR_TRY(check_no_tag(name));
    RemoteRequest request{.name = std::string(name), .options = options};
    request.notice = [&](const std::string& text) { context.reporter.warn(text); };
    const RemoteTags found = KNARR_TRY(Engine::list_tags(request));
    if (found.tags.empty()) {
        return fail(Errc::image_not_found, "{} has no tags", printable(found.repository));
    }
    bool any_new = false;
    const int status = for_each_of(context, found.tags, [&](std::string_view tag) -> Result<> {
        const Pulled pulled = KNARR_TRY(
            pull_one(engine, fmt::format("{}:{}", found.repository, tag), options, style));
        any_new = any_new || pulled.is_new || pulled.downloaded;
        return print(style == ProgressStyle::silent ? "" : digest_line(pulled));
    });
    if (status != 0) {
        return status;
    }
    const auto repository = KNARR_TRY(image::Reference::parse(found.repository));
    const std::string line = status_line(any_new, repository.familiar_name());
    KNARR_TRY(print((style == ProgressStyle::silent ? "" : line) + repository.name() + "\n"));
    return 0;
}

Result<int> run_pull(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "IMAGE"));
    const PullOptions options = KNARR_TRY(parse_pull_options(args));
    const ProgressStyle style = KNARR_TRY(wanted_style(args));
    Engine engine = KNARR_TRY(open_engine(context));
    if (args.flag("all-tags")) {
        return pull_all(context, engine, name, options, style);
    }
    if (image::is_file_source(name)) {
        KNARR_TRY(pull_file(engine, name, options, style));
    } else {
        const Pulled pulled = KNARR_TRY(pull_one(engine, name, options, style));
        const bool is_new = pulled.is_new || pulled.downloaded;
        const std::string lines =
            digest_line(pulled) + status_line(is_new, image::familiar_reference(pulled.reference));
        KNARR_TRY(print((style == ProgressStyle::silent ? "" : lines) + pulled.reference + "\n"));
    }
    return 0;
}

}  // namespace

constexpr Verb kPull{
    .name = "pull",
    .synopsis = "[options] IMAGE",
    .summary = "bring an image into the store",
    .about =
        "Fetches an image, checks every byte against its digest, and unpacks its layers. Short\n"
        "names are docker's: busybox is docker.io/library/busybox:latest. `oci:DIR[:TAG]`,\n"
        "`oci-archive:FILE[:TAG]` and `docker-archive:FILE[:TAG]` are read without a registry.\n"
        "What is stored already is not fetched again. Progress goes to standard error, docker's\n"
        "last lines (Digest, Status and the whole name) to standard output; of a file, the ID.",
    .example = "knarr pull --quiet docker.io/library/busybox:latest",
    .options = kPullOptions,
    .run = run_pull,
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

}  // namespace knarr::cli
