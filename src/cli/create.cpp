#include <algorithm>

#include "cli/containers.h"
#include "cli/progress.h"
#include "cli/refused.h"
#include "cli/run_options.h"
#include "cli/run_way.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

Result<int> create_from_bundle(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const BundleRequest request = KNARR_TRY(bundle_request(args, id));
    context.failure_status = kRuncFailure;
    Engine engine = KNARR_TRY(open_engine(context));
    KNARR_TRY(engine.create(request));
    return 0;
}

Result<int> create_from_image(Context& context, const Parsed& args) {
    context.failure_status = kOwnFailure;
    const ParsedRun parsed = KNARR_TRY(parse_run(args, RunKind::create));
    for (const std::string& warning : parsed.warnings) {
        context.reporter.warn(warning);
    }
    Engine engine = KNARR_TRY(open_engine(context));
    ProgressView progress(args.flag("quiet") ? ProgressStyle::silent : progress_style());
    const PullProgressFn show = [&](const PullProgress& news) { progress.show(news); };
    Result<std::string> made = engine.create_from_image(parsed.request, show);
    progress.finish();
    const std::string id =
        KNARR_TRY(std::move(made), "as image {}", printable(parsed.request.image));
    KNARR_TRY(print(id + "\n"));
    return 0;
}

Result<int> run_create(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        context.failure_status = status_of_neither(args);
        return fail(Errc::invalid_argument, "which image, or which container ID? it is missing");
    }
    // No program of an image begins with a dash: then all options may stand behind the ID.
    if (args.positionals.size() > 1 && args.positionals[1].starts_with('-') &&
        std::ranges::any_of(args.positionals, names_bundle)) {
        Parsed whole = args;
        Parsed behind = KNARR_TRY(parse(create_options(), std::span(args.positionals).subspan(1)));
        whole.add_options(behind);
        whole.positionals.resize(1);
        whole.positionals.insert(
            whole.positionals.end(), behind.positionals.begin(), behind.positionals.end());
        return create_from_bundle(context, whole);
    }
    const RunWay way = KNARR_TRY(which_run_here(context, args));
    return way == RunWay::bundle ? create_from_bundle(context, args)
                                 : create_from_image(context, args);
}

}  // namespace

const Verb kCreate{
    .name = "create",
    .synopsis =
        "[options] IMAGE [COMMAND [ARGUMENT...]]\n"
        "[--bundle DIR] [options] ID",
    .summary = "make a container of an image or a bundle, for `start`",
    .about =
        "Of an image: what `run` does but for running it, with the same options. The ID is\n"
        "printed; `knarr start ID` runs it in the background, `start -a` in front of you.\n"
        "\n"
        "Of a bundle: sets the container ID up to just before its program: namespaces, mounts,\n"
        "cgroup and limits are there, nothing of the user's has run. `knarr start ID` lets the\n"
        "program run. Whatever fails, nothing is left behind.\n"
        "\n"
        "Which of the two is meant `knarr run --help` says.",
    .example = "knarr create --bundle /bundles/web web && knarr start web",
    .options = create_options(),
    .rules = {.options_until = 1, .refused = kRefusedByRun},
    .usage_status = kOwnFailure,
    .run = run_create,
};

}  // namespace knarr::cli
