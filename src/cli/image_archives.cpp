// save and load: images into archives and back.

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/progress.h"
#include "cli/pull_options.h"
#include "core/text.h"
#include "image/reference.h"
#include "platform/standard_stream.h"
#include "platform/terminal.h"

namespace knarr::cli {

namespace {

constexpr std::array kSaveOptions{
    Option{.name = "output",
           .letter = 'o',
           .value = "FILE",
           .help = "where to; a directory with --format oci-dir",
           .fallback = "standard output"},
    Option{.name = "format",
           .value = "FORMAT",
           .help = "docker-archive, oci-archive or oci-dir",
           .fallback = "docker-archive"},
};

bool is_standard_terminal(int number) {
    return sys::is_terminal(sys::StandardStream(number).fd());
}

Result<ArchiveFormat> archive_format(std::string_view format) {
    if (format == "docker-archive") {
        return ArchiveFormat::docker_archive;
    }
    if (format == "oci-archive") {
        return ArchiveFormat::oci_archive;
    }
    if (format == "oci-dir") {
        return ArchiveFormat::oci_dir;
    }
    return fail(Errc::invalid_argument,
                "--format \"{}\" is neither docker-archive, oci-archive nor oci-dir",
                printable(format));
}

Result<int> run_save(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? IMAGE is missing");
    }
    SaveRequest request{.names = {args.positionals.begin(), args.positionals.end()},
                        .format = KNARR_TRY(archive_format(args.get("format", "docker-archive"))),
                        .path = std::string(args.get("output"))};
    if (request.path.empty() && request.format == ArchiveFormat::oci_dir) {
        return fail(Errc::invalid_argument, "--format oci-dir needs --output DIR");
    }
    if (request.path.empty() && is_standard_terminal(1)) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "an archive is nothing for a terminal",
                          .hint = "-o FILE, or redirect the output"});
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    KNARR_TRY(engine.save_images(request));
    return 0;
}

constexpr std::array kLoadOptions{
    Option{.name = "input",
           .letter = 'i',
           .value = "FILE",
           .help = "the archive, or the directory of a layout",
           .fallback = "standard input"},
    kPlatformOption,
    kArchiveTimeoutOption,
    Option{.name = "quiet", .letter = 'q', .help = "no progress"},
};

Result<int> run_load(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const std::string path(args.get("input"));
    if (path.empty() && is_standard_terminal(0)) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "an archive is nothing to type in",
                          .hint = "-i FILE, or redirect the input"});
    }
    const std::chrono::seconds timeout = KNARR_TRY(parse_timeout(args));
    Engine engine = KNARR_TRY(open_engine(context));
    ProgressView progress(args.flag("quiet") ? ProgressStyle::silent : progress_style());
    const auto loaded = engine.load_images(
        path,
        PullOptions{.platform = std::string(args.get("platform")), .timeout = timeout},
        [&](const PullProgress& news) { progress.show(news); });
    progress.finish();
    if (!loaded) {
        return fail(Error(loaded.error()));
    }
    std::string text;
    for (const LoadedImage& image : *loaded) {
        text += image.reference.starts_with("sha256:")
                    ? fmt::format("Loaded image ID: {}\n", image.id)
                    : fmt::format("Loaded image: {}\n",
                                  printable(image::familiar_reference(image.reference), 1024));
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kSave{
    .name = "save",
    .synopsis = "[options] IMAGE...",
    .summary = "write images into an archive",
    .about =
        "Writes stored images, with the names they are given by, into a tar that docker, podman\n"
        "and skopeo read. docker-archive is an OCI layout as well. The same images give the same\n"
        "bytes, and every blob is checked while it is copied. A file appears whole or not at all.",
    .example = "knarr save -o busybox.tar busybox:latest",
    .options = kSaveOptions,
    .run = run_save,
};

constexpr Verb kLoad{
    .name = "load",
    .synopsis = "[options]",
    .summary = "store the images of an archive",
    .about =
        "Stores all images of an archive that save, docker, podman or skopeo wrote, of an OCI\n"
        "archive or of a layout's directory, under the names that it has. gzip and zstd around it\n"
        "are undone. Images without a name are known by their ID.",
    .example = "knarr load -i busybox.tar",
    .options = kLoadOptions,
    .run = run_load,
};

}  // namespace knarr::cli
