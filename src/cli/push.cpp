// push: stored images into registries.

#include <algorithm>
#include <array>
#include <optional>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/progress.h"
#include "cli/pull_options.h"
#include "core/text.h"
#include "image/short_names.h"
#include "platform/file.h"
#include "platform/process.h"
#include "platform/signal.h"

namespace knarr::cli {

namespace {

constexpr auto kPushOptions = with_registry_options(std::array{
    Option{.name = "platform",
           .value = "OS/ARCH",
           .help = "push the manifest of one variant, not the index"},
    Option{.name = "all-platforms", .help = "fail unless all variants of the index are stored"},
    Option{.name = "digestfile", .value = "FILE", .help = "write the manifest's digest into FILE"},
    Option{.name = "all-tags",
           .letter = 'a',
           .help = "all tags that are stored of the repository IMAGE, one after the other"},
    Option{.name = "quiet", .letter = 'q', .help = "no progress; print the name only"},
    kProgressOption,
});

/// Written before the last line is printed: who reads that finds the file.
Result<> write_digest(const std::string& path, const std::string& digest) {
    const std::size_t slash = path.rfind('/');
    const sys::Fd dir =
        KNARR_TRY(sys::open_path(slash == std::string::npos ? "." : path.substr(0, slash + 1),
                                 O_RDONLY | O_DIRECTORY),
                  "write --digestfile {}",
                  path);
    return sys::replace_file(dir, path.substr(slash + 1), digest, 0644, sys::Sync::file);
}

/// From the first byte on a signal that asks us to end is read, so that what the registry has of a
/// blob can be given back; before, it ends us at once.
class Interruption {
public:
    static Result<Interruption> open() { return Interruption(KNARR_TRY(sys::make_pipe())); }
    /// Becomes readable when the push is to end.
    int fd() const { return place_.read.get(); }
    void begin() {
        if (signals_) {
            return;
        }
        if (auto signals = sys::SignalFd::open_ending()) {
            signals_.emplace(*std::move(signals));
            static_cast<void>(sys::replace_fd(signals_->fd(), fd()));
        }
    }
    /// Takes the signal that came: it has done its work.
    void end() {
        if (signals_) {
            static_cast<void>(signals_->next());
        }
    }

private:
    explicit Interruption(sys::Pipe place) : place_(std::move(place)) {}
    sys::Pipe place_;  // into which nobody writes, until the signals are put there
    std::optional<sys::SignalFd> signals_;
};

/// docker's last line, or the name.
std::string last_line(const PushedImage& pushed, bool quiet) {
    return quiet ? pushed.reference + "\n"
                 : fmt::format("{}: digest: {} size: {}\n",
                               pushed.tag.empty() ? pushed.digest : pushed.tag,
                               pushed.digest,
                               pushed.size);
}

/// Pushes one image; a signal ends it. The views of progress are one for each.
Result<PushedImage> push_one(Engine& engine,
                             const PushRequest& request,
                             ProgressStyle style,
                             Interruption& interruption) {
    ProgressView progress(style);
    auto result = engine.push_image(request, [&](const PullProgress& news) {
        if (news.phase == PullPhase::uploading) {
            interruption.begin();
        }
        progress.show(news);
    });
    progress.finish();
    return result;
}

/// The stored names with a tag in the repository that `name` means. Errors: image_not_found.
Result<std::vector<std::string>> tags_in(const Engine& engine, std::string_view name) {
    KNARR_TRY(check_no_tag(name));
    const std::vector<ImageSummary> stored = KNARR_TRY(engine.images());
    for (const image::Reference& meant : KNARR_TRY(image::meanings(name, image::Wanted::stored))) {
        std::vector<std::string> names;
        for (const ImageSummary& one : stored) {
            std::ranges::copy_if(one.references, std::back_inserter(names), [&](const auto& text) {
                return text.starts_with(meant.name() + ":") && text.find('@') == std::string::npos;
            });
        }
        if (!names.empty()) {
            std::ranges::sort(names);
            return names;
        }
    }
    return fail(Error{
        .code = Errc::image_not_found,
        .message = fmt::format("An image does not exist locally with the tag: {}", printable(name)),
        .hint = "knarr images lists what is stored"});
}

/// docker's --all-tags. Each goes by itself.
Result<int> push_all(Context& context, Engine& engine, const Parsed& args, PushRequest request) {
    if (args.positionals.size() > 1 || args.has("digestfile")) {
        return fail(Errc::invalid_argument,
                    "--all-tags with {}: each goes where its own name says, and has a digest of "
                    "its own",
                    args.has("digestfile") ? "--digestfile" : "a DESTINATION");
    }
    const bool quiet = args.flag("quiet");
    const ProgressStyle style = KNARR_TRY(wanted_style(args));
    const std::vector<std::string> stored = KNARR_TRY(tags_in(engine, args.positionals.front()));
    return for_each_of(context, stored, [&](std::string_view name) -> Result<> {
        Interruption interruption = KNARR_TRY(Interruption::open());
        request.options.cancel_fd = interruption.fd();
        request.name = name;
        auto pushed = push_one(engine, request, style, interruption);
        interruption.end();
        return print(last_line(KNARR_TRY(std::move(pushed)), quiet));
    });
}

Result<int> run_push(Context& context, const Parsed& args) {
    if (args.positionals.empty() || args.positionals.size() > 2) {
        return fail(Errc::invalid_argument,
                    "{}",
                    args.positionals.empty() ? "which one? IMAGE is missing"
                                             : "IMAGE and one DESTINATION are wanted");
    }
    std::string_view destination = args.positionals.size() == 2 ? args.positionals[1] : "";
    if (constexpr std::string_view kTransport = "docker://"; destination.starts_with(kTransport)) {
        destination.remove_prefix(kTransport.size());
    }
    if (args.flag("all-platforms") && args.has("platform")) {
        return fail(Errc::invalid_argument, "--platform and --all-platforms exclude each other");
    }
    PushRequest request{.name = std::string(args.positionals.front()),
                        .destination = std::string(destination),
                        .options = KNARR_TRY(parse_pull_options(args)),
                        .all_platforms = args.flag("all-platforms")};
    Engine engine = KNARR_TRY(open_engine(context));
    if (args.flag("all-tags")) {
        return push_all(context, engine, args, std::move(request));
    }
    Interruption interruption = KNARR_TRY(Interruption::open());
    request.options.cancel_fd = interruption.fd();
    const ProgressStyle style = KNARR_TRY(wanted_style(args));
    auto result = push_one(engine, request, style, interruption);
    interruption.end();
    const PushedImage pushed = KNARR_TRY(std::move(result));
    if (const auto file = args.find("digestfile")) {
        KNARR_TRY(write_digest(std::string(*file), pushed.digest));
    }
    KNARR_TRY(print(last_line(pushed, args.flag("quiet"))));
    return 0;
}

}  // namespace

constexpr Verb kPush{
    .name = "push",
    .synopsis = "[options] IMAGE [DESTINATION]\n[options] --all-tags NAME",
    .summary = "send a stored image to a registry",
    .about =
        "Sends what the registry lacks of a stored image, byte for byte as it was pulled or\n"
        "loaded, and gives it its name last. DESTINATION is [docker://]HOST/NAME[:TAG]; without\n"
        "it the image goes where its own name says. An index goes whole when all its variants are\n"
        "stored, else the manifest of the stored one. Blobs that another repository of the\n"
        "registry has are not sent. A push that fails or is stopped (Ctrl-C) gives back what the\n"
        "registry has of a blob. The last line is docker's: TAG: digest: DIGEST size: BYTES.\n"
        "--all-tags pushes all tags that are stored of a repository, each where its name says.",
    .example = "knarr push busybox:1.36 registry.example/team/busybox:1.36",
    .options = kPushOptions,
    .run = run_push,
};

}  // namespace knarr::cli
