// push: stored images into registries.

#include <array>
#include <optional>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/progress.h"
#include "cli/pull_options.h"
#include "core/text.h"
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
    Interruption interruption = KNARR_TRY(Interruption::open());
    request.options.cancel_fd = interruption.fd();
    Engine engine = KNARR_TRY(open_engine(context));
    const bool quiet = args.flag("quiet");
    ProgressView progress(KNARR_TRY(wanted_style(args)));
    auto result = engine.push_image(request, [&](const PullProgress& news) {
        if (news.phase == PullPhase::uploading) {
            interruption.begin();
        }
        progress.show(news);
    });
    progress.finish();
    interruption.end();
    const PushedImage pushed = KNARR_TRY(std::move(result));
    if (const auto file = args.find("digestfile")) {
        KNARR_TRY(write_digest(std::string(*file), pushed.digest));
    }
    KNARR_TRY(print(quiet ? pushed.reference + "\n"
                          : fmt::format("{}: digest: {} size: {}\n",
                                        pushed.tag.empty() ? pushed.digest : pushed.tag,
                                        pushed.digest,
                                        pushed.size)));
    return 0;
}

}  // namespace

constexpr Verb kPush{
    .name = "push",
    .synopsis = "[options] IMAGE [DESTINATION]",
    .summary = "send a stored image to a registry",
    .about =
        "Sends what the registry lacks of a stored image, byte for byte as it was pulled or\n"
        "loaded, and gives it its name last. DESTINATION is [docker://]HOST/NAME[:TAG]; without\n"
        "it the image goes where its own name says. An index goes whole when all its variants are\n"
        "stored, else the manifest of the stored one. Blobs that another repository of the\n"
        "registry has are not sent. A push that fails or is stopped (Ctrl-C) gives back what the\n"
        "registry has of a blob. The last line is docker's: TAG: digest: DIGEST size: BYTES.",
    .example = "knarr push busybox:1.36 registry.example/team/busybox:1.36",
    .options = kPushOptions,
    .run = run_push,
};

}  // namespace knarr::cli
