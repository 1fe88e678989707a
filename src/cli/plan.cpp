#include "engine/plan.h"

#include <array>

#include "cli/containers.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    kBundleOption,
    Option{.name = "json", .help = "print JSON"},
    Option{.name = "id", .value = "ID", .help = "for this container ID", .fallback = "plan"},
    kNoPivotOption,
    kNoNewKeyringOption,
    kIsolationOption,
};

Result<int> run_plan(Context& context, const Parsed& args) {
    if (!args.positionals.empty() && args.has("bundle")) {
        return fail(Errc::invalid_argument, "name the bundle once: BUNDLE or --bundle");
    }
    const std::string directory(args.positionals.empty()
                                    ? args.get("bundle", ".")
                                    : KNARR_TRY(one_argument(args, "BUNDLE or IMAGE")));
    const Isolation isolation = KNARR_TRY(parse_isolation(args.get("isolation", "native")));
    const runtime::LaunchPlan plan =
        KNARR_TRY(engine::plan_launch(engine_options(context),
                                      {.subject = directory,
                                       .is_bundle = args.has("bundle") || args.positionals.empty(),
                                       .id = std::string(args.get("id", "plan")),
                                       .no_pivot = args.flag("no-pivot"),
                                       .no_new_keyring = args.flag("no-new-keyring"),
                                       .isolation = isolation}));
    std::string text = args.flag("json") ? plan_json(plan) : plan_text(plan);
    if (!text.ends_with('\n')) {
        text += '\n';
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kPlan{
    .name = "plan",
    .synopsis = "[options] [BUNDLE|IMAGE]",
    .summary = "print what starting a bundle or an image would do, step by step",
    .about =
        "Prints the launch plan of a bundle, or of a stored image with the default options, on "
        "this\n"
        "host: namespaces, the cgroup's files, every\n"
        "mount and device in order, who the program runs as and what runs. Nothing is done.",
    .example = "knarr plan /bundles/web --json",
    .options = kOptions,
    .run = run_plan,
};

}  // namespace knarr::cli
