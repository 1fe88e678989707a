#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/refused.h"
#include "core/text.h"
#include "engine/container_copy.h"
#include "platform/standard_stream.h"
#include "platform/terminal.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "archive", .letter = 'a', .help = "keep owners, not only modes and times"},
    Option{.name = "follow-link",
           .letter = 'L',
           .help = "where the source is a link: copy what it leads to"},
    Option{.name = "quiet", .letter = 'q', .help = "no effect: nothing is said"},
    Option{.name = "pause", .help = "no effect: nobody need stand still for a copy"},
};

/// "CONTAINER:PATH", or nothing for a path of ours: docker's rule, by which one of ours with a
/// colon begins with / or .
struct Inside {
    std::string container, path;
};
std::optional<Inside> parse_inside(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || text.starts_with('/') ||
        text.starts_with('.')) {
        return std::nullopt;
    }
    return Inside{.container = std::string(text.substr(0, colon)),
                  .path = std::string(text.substr(colon + 1))};
}

Result<int> run_cp(Context& context, const Parsed& args) {
    if (args.positionals.size() != 2) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "a source and a destination are wanted",
                          .hint = "knarr cp ID:PATH PATH, or knarr cp PATH ID:PATH"});
    }
    const auto from = parse_inside(args.positionals[0]);
    const auto to = parse_inside(args.positionals[1]);
    if (!from && !to) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "neither of them is in a container",
                          .hint = "ID:PATH is a path in a container"});
    }
    if (from && to && (from->path.empty() || to->path.empty())) {
        return fail(Errc::invalid_argument, "a path is empty");
    }
    if (from && to) {
        KNARR_TRY(engine::copy(engine_options(context),
                               {.container = from->container,
                                .inside = from->path,
                                .outside = to->path,
                                .to_container = to->container,
                                .keep_owner = args.flag("archive"),
                                .follow_link = args.flag("follow-link")}));
        return 0;
    }
    const Inside& inside = from ? *from : *to;
    const std::string_view outside = args.positionals[from ? 1 : 0];
    if (inside.path.empty() || outside.empty()) {
        return fail(Errc::invalid_argument, "a path is empty");
    }
    if (from && outside == "-" && sys::is_terminal(sys::StandardStream(1).fd())) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "a tar is nothing for a terminal",
                          .hint = "redirect the output"});
    }
    KNARR_TRY(engine::copy(engine_options(context),
                           {.container = inside.container,
                            .inside = inside.path,
                            .outside = std::string(outside),
                            .into = to.has_value(),
                            .keep_owner = args.flag("archive"),
                            .follow_link = args.flag("follow-link")}));
    return 0;
}

}  // namespace

constexpr Verb kCp{
    .name = "cp",
    .synopsis = "[options] ID:PATH PATH|-\n[options] PATH|- ID:PATH\n[options] ID:PATH ID:PATH",
    .summary = "copy files into a container or out of it, or from one to another",
    .about =
        "Copies a file or a directory with all that is in it, whether the container runs or not,\n"
        "by docker's rules: into a directory that is there, else under the new name; DIR/. means\n"
        "what is in DIR. Copies belong to root in the container and to you outside, unless "
        "--archive\n"
        "is given. - is a tar: written to standard output, or read from standard input and\n"
        "unpacked into the directory PATH.\n"
        "\n"
        "Paths and links of the container lead nowhere but into its own files.",
    .example = "knarr cp web:/etc/nginx ./nginx",
    .options = kOptions,
    .rules = {.refused = kRefusedByCp},
    .run = run_cp,
};

}  // namespace knarr::cli
