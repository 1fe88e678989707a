#include "engine/plan.h"

#include <algorithm>
#include <array>

#include <fcntl.h>

#include "cli/containers.h"
#include "cli/refused.h"
#include "cli/run_options.h"
#include "cli/run_way.h"
#include "platform/file.h"

namespace knarr::cli {

namespace {

constexpr std::string_view kDefaultId = "plan";

/// A directory is a bundle; anything else that has no path in it is a name.
bool is_directory(std::string_view word) {
    return word.starts_with('/') || word.starts_with('.') ||
           sys::open_path(std::string(word), O_PATH | O_DIRECTORY).has_value();
}

/// Options of ours that stand behind the bundle or image, and nothing else: no program of an image
/// begins with a dash.
Result<Parsed> with_options_behind(const Parsed& args) {
    if (args.positionals.size() < 2 || !args.positionals[1].starts_with('-')) {
        return args;
    }
    Result<Parsed> behind = parse(plan_options(), std::span(args.positionals).subspan(1));
    if (!behind || !behind->positionals.empty()) {
        return args;
    }
    Parsed whole = args;
    whole.add_options(*behind);
    whole.positionals.resize(1);
    return whole;
}

Result<engine::PlanRequest> plan_of_bundle(const Parsed& args, std::string_view id) {
    engine::PlanRequest request;
    request.subject = KNARR_TRY(bundle_request(args, id));
    return request;
}

/// What `run` with the same words would be asked for; and a directory alone, or nothing at all,
/// which `run` does not take.
Result<engine::PlanRequest> parse_plan(const Context& context, const Parsed& args) {
    const std::string_view id = args.get("id", kDefaultId);
    if (args.positionals.empty()) {
        return plan_of_bundle(args, id);
    }
    const std::string_view first = args.positionals.front();
    const bool alone = args.positionals.size() == 1 && !args.has("bundle");
    if (alone && is_directory(first) &&
        KNARR_TRY(which_run(args, Here::bundle)) == RunWay::bundle) {
        engine::PlanRequest request = KNARR_TRY(plan_of_bundle(args, id));
        std::get<BundleRequest>(request.subject).bundle = first;
        return request;
    }
    if (KNARR_TRY(which_run(args, look_here())) == RunWay::bundle) {
        return plan_of_bundle(args, KNARR_TRY(one_argument(args, "container ID")));
    }
    ParsedRun parsed = KNARR_TRY(parse_run(args));
    for (const std::string& warning : parsed.warnings) {
        context.reporter.warn(warning);
    }
    return engine::PlanRequest{.subject = std::move(parsed.request), .id = std::string(id)};
}

Result<int> run_plan(Context& context, const Parsed& words) {
    const Parsed args = KNARR_TRY(with_options_behind(words));
    context.reporter.json_errors = args.flag("json");
    const engine::PlanRequest request = KNARR_TRY(parse_plan(context, args));
    const runtime::LaunchPlan plan =
        KNARR_TRY(engine::plan_launch(engine_options(context), request));
    std::string text = args.flag("json") ? plan_json(plan) : plan_text(plan);
    if (!text.ends_with('\n')) {
        text += '\n';
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

const Verb kPlan{
    .name = "plan",
    .synopsis =
        "[options of run] IMAGE [COMMAND [ARGUMENT...]]\n"
        "[options of run] [BUNDLE]\n"
        "[options of run] --bundle DIR [ID]",
    .summary = "print what `run` would do, step by step, and do nothing",
    .about =
        "Prints the launch plan on this host of what `knarr run` with the same words would start:\n"
        "namespaces, the cgroup's files, every mount and device in order, who the program runs as\n"
        "and what runs. Takes all options of `run`, decides as it does, and makes nothing. An "
        "image\n"
        "has to be stored (`knarr pull`). A directory alone is a bundle; without any argument the\n"
        "current one is. --json and the other options may stand behind IMAGE or BUNDLE when no\n"
        "command does.",
    .example = "knarr plan --memory 64m -v data:/data busybox sh",
    .options = plan_options(),
    .rules = {.options_until = 1, .refused = kRefusedByRun},
    .run = run_plan,
};

}  // namespace knarr::cli
