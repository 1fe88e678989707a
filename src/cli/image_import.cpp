// import: a root file system as an image.

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/progress.h"
#include "cli/pull_options.h"
#include "core/text.h"
#include "engine/images.h"
#include "engine/policy.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "change",
           .letter = 'c',
           .value = "INSTRUCTION",
           .help =
               "of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, "
               "WORKDIR",
           .repeatable = true},
    Option{.name = "message",
           .letter = 'm',
           .value = "TEXT",
           .help = "what the image's history says",
           .fallback = "Imported from FILE"},
    kPlatformOption,
    kArchiveTimeoutOption,
    Option{.name = "quiet", .letter = 'q', .help = "no progress"},
};

Result<int> run_import(Context& context, const Parsed& args) {
    if (args.positionals.empty() || args.positionals.size() > 2) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "a FILE and at most one name are wanted",
                          .hint = "knarr import FILE NAME; - is standard input"});
    }
    const std::string_view file = args.positionals.front();
    if (file.find("://") != std::string_view::npos) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("{}: nothing is imported from the network", printable(file)),
            .hint = "curl -fL URL | knarr import - NAME"});
    }
    image::ImportRequest request{.path = file == "-" ? std::string() : std::string(file),
                                 .message = std::string(args.get("message")),
                                 .platform = std::string(args.get("platform")),
                                 .snapshot_driver = context.globals.snapshot_driver,
                                 .timeout = KNARR_TRY(parse_timeout(args))};
    if (args.positionals.size() == 2) {
        request.reference = args.positionals[1];
    }
    for (const std::string_view change : args.all("change")) {
        request.changes.emplace_back(change);
    }
    const Limits limits = KNARR_TRY(engine::limits_of_policy(context.globals.policy));
    ProgressView progress(args.flag("quiet") ? ProgressStyle::silent : progress_style());
    const Result<std::string> id = engine::import_image(
        context.globals.data_root, request, limits, [&](const PullProgress& news) {
            progress.show(news);
        });
    progress.finish();
    if (!id) {
        return fail(id.error());
    }
    KNARR_TRY(print(*id + "\n"));
    return 0;
}

}  // namespace

constexpr Verb kImport{
    .name = "import",
    .synopsis = "[options] FILE|- [NAME]",
    .summary = "make an image of a root file system's tar",
    .about =
        "Stores a tar, plain or by gzip or zstd, as an image of one layer, and prints its ID. The\n"
        "tar is unpacked and checked as a pulled layer is. What the image runs is said by "
        "--change;\n"
        "without a NAME it is known by its ID.",
    .example = "knarr import --change 'CMD [\"/bin/sh\"]' rootfs.tar.gz mine:1",
    .options = kOptions,
    .run = run_import,
};

}  // namespace knarr::cli
