#include <array>
#include <memory>

#include "cli/attach_options.h"
#include "cli/containers.h"
#include "cli/progress.h"
#include "cli/refused.h"
#include "cli/run_options.h"
#include "cli/run_way.h"
#include "core/text.h"
#include "platform/standard_stream.h"
#include "platform/terminal.h"

namespace knarr::cli {

namespace {

Result<int> run_bundle(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const BundleRequest request = KNARR_TRY(bundle_request(args, id));
    context.failure_status = kRuncFailure;
    Engine engine = KNARR_TRY(open_engine(context));
    const RunMode mode = args.flag("detach") ? RunMode::detached : RunMode::foreground;
    return KNARR_TRY(engine.run(request, mode), "as bundle {}", printable(request.bundle));
}

Result<int> run_detached(Engine& engine, const RunRequest& request, const PullProgressFn& show) {
    const std::string id = KNARR_TRY(engine.run_image_in_background(request, show));
    KNARR_TRY(print(id + "\n"));
    return 0;
}

/// In the background with us in front of it: it outlives us, and others may attach.
Result<int> run_attached(Engine& engine,
                         const RunRequest& request,
                         AttachRequest attach,
                         ProgressView& progress,
                         const PullProgressFn& show) {
    const bool shown = request.terminal || request.streams.out || request.streams.err;
    Result<> printed;
    attach.when_it_begins = [&](const std::string& id) {
        progress.finish();
        if (!shown) {
            printed = print(id + "\n");  // as docker: what it writes is found by that
        }
    };
    const auto code = KNARR_TRY(engine.run_image_attached(request, attach, show));
    KNARR_TRY(std::move(printed));
    return code.value_or(0);
}

/// The name of a directory, too, is an image's first; what its owner may have meant is said.
Error as_image(Error error, const RunRequest& request) {
    const std::string& name = request.image;
    if (error.code == Errc::exec_not_found && !request.command.empty() &&
        request.command.front().starts_with('-')) {
        error.hint =
            "options of knarr run stand before the image: what follows it is the program's";
    }
    if (error.code == Errc::image_not_found || error.code == Errc::invalid_argument ||
        error.code == Errc::registry_failed || error.code == Errc::unauthorized) {
        if (look_for_bundle(name) != Here::no_bundle) {
            error.hint = fmt::format("{0} is the directory of a bundle: knarr run --bundle {0} ID",
                                     printable(name));
        } else if (error.code == Errc::image_not_found) {
            error = std::move(error).advise(
                "check the spelling of name and tag; to run a bundle, give --bundle DIR");
        }
    }
    return std::move(error).within(fmt::format("as image {}", printable(name)));
}

Result<int> run_image(Context& context, const Parsed& args) {
    context.failure_status = kOwnFailure;
    const ParsedRun parsed = KNARR_TRY(parse_run(args));
    for (const std::string& warning : parsed.warnings) {
        context.reporter.warn(warning);
    }
    AttachRequest attach = attach_request(args);
    // The keys of a terminal are for who is in front of it; what a pipe or a file holds is the
    // program's only with -i.
    const bool has_keys = !args.has("attach") && sys::is_terminal(sys::StandardStream(0).fd());
    attach.pass_input = attach.pass_input && (parsed.request.streams.in || has_keys);
    Engine engine = KNARR_TRY(open_engine(context));
    ProgressView progress(args.flag("quiet") ? ProgressStyle::silent : progress_style());
    const PullProgressFn show = [&](const PullProgress& news) { progress.show(news); };
    Result<int> code = parsed.front == RunFront::nobody ? run_detached(engine, parsed.request, show)
                       : parsed.front == RunFront::attached
                           ? run_attached(engine, parsed.request, attach, progress, show)
                           : engine.run_image(parsed.request, show);
    progress.finish();
    if (!code) {
        return fail(as_image(std::move(code).error(), parsed.request));
    }
    return code;
}

Result<int> run_run(Context& context, const Parsed& args) {
    const RunWay way = KNARR_TRY(which_run_here(context, args));
    return way == RunWay::bundle ? run_bundle(context, args) : run_image(context, args);
}

}  // namespace

const Verb kRun{
    .name = "run",
    .synopsis =
        "[options] IMAGE [COMMAND [ARGUMENT...]]\n"
        "[--bundle DIR] [options] ID",
    .summary = "run an image, or a bundle as runc does",
    .about =
        "Of an image: pulls it if it is not stored, gives it a writable layer of its own and safe\n"
        "defaults, and runs the command with you in front of it: what it writes is shown, signals\n"
        "are passed on, and with -i what you type. Everything after IMAGE belongs to the command.\n"
        "It has a log, others may attach, and the end of this knarr leaves it running, as the\n"
        "detach keys do with -t. With --rm and without -t it has your own streams instead.\n"
        "With -d nobody is in front, the ID is printed, and `logs`, `wait`, `stop`, `start` go on\n"
        "from there.\n"
        "The exit status is the program's; 125 when knarr fails, 126 when the program cannot be\n"
        "executed, 127 when it is not there. Without --rm the stopped container stays until\n"
        "`knarr rm`.\n"
        "\n"
        "Of a bundle: create and start in one, spelled as runc's. The container is removed when "
        "it\n"
        "has ended, unless --keep is given.\n"
        "\n"
        "Which of the two is meant: a bundle, when --bundle or another option that only bundles\n"
        "have is given, or when there is exactly one argument, no option that only images have,\n"
        "and the current directory has a config.json of a container. Else an image. Errors say\n"
        "which it was.\n"
        "\n"
        "Defaults for images: no new privileges, 11 capabilities, a seccomp filter, hidden and\n"
        "read-only parts of /proc and /sys, no devices but the harmless ones, at most 2048\n"
        "processes, and no network but loopback. docs/cli.md has them all.",
    .example = "knarr run --rm -e GREETING=hello busybox sh -c 'echo $GREETING'",
    .options = run_options(),
    .rules = {.options_until = 1, .refused = kRefusedByRun},
    .usage_status = kOwnFailure,
    .run = run_run,
};

}  // namespace knarr::cli
