#include <array>

#include <fcntl.h>

#include "bundle/read.h"
#include "cli/containers.h"
#include "core/text.h"
#include "engine/policy.h"
#include "engine/run_image.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "runtime/runtime.h"

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

/// A directory is a bundle; anything else that has no path in it is an image's name.
Result<bundle::Bundle> read_subject(const Context& context,
                                    const Parsed& args,
                                    const std::string& name) {
    const bool path = name.starts_with('/') || name.starts_with('.') || args.has("bundle");
    if (path || sys::open_path(name, O_PATH | O_DIRECTORY)) {
        return KNARR_TRY(bundle::read_bundle(name), "as bundle");
    }
    RunRequest request;
    request.image = name;
    request.pull = PullPolicy::never;
    const Limits limits = KNARR_TRY(engine::limits_of_policy(context.globals.policy));
    return KNARR_TRY(engine::bundle_of_image(context.globals.data_root, request, limits),
                     "as image {}",
                     printable(name));
}

Result<int> run_plan(Context& context, const Parsed& args) {
    if (!args.positionals.empty() && args.has("bundle")) {
        return fail(Errc::invalid_argument, "name the bundle once: BUNDLE or --bundle");
    }
    const std::string directory(args.positionals.empty()
                                    ? args.get("bundle", ".")
                                    : KNARR_TRY(one_argument(args, "BUNDLE or IMAGE")));
    const ContainerId id = KNARR_TRY(ContainerId::parse(args.get("id", "plan")));
    bundle::Bundle bundle = KNARR_TRY(read_subject(context, args, directory));
    bundle.isolation = KNARR_TRY(parse_isolation(args.get("isolation", "native")));
    const runtime::Kind* kind = KNARR_TRY(runtime::select(bundle.isolation));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    // Planned as for a caller that receives the terminal, where the bundle wants one.
    const bool terminal = bundle.config.process && bundle.config.process->terminal;
    const runtime::LaunchPlan plan =
        KNARR_TRY(kind->plan(bundle,
                             host,
                             {.id = id.text(),
                              .no_pivot = args.flag("no-pivot"),
                              .no_new_keyring = args.flag("no-new-keyring"),
                              .rootless = context.globals.rootless,
                              .console_socket = terminal,
                              .cgroup_manager = context.globals.cgroup_manager,
                              .root = context.globals.root,
                              .proc_devices = sys::probe_device_names()}),
                  "plan {}",
                  printable(directory));
    for (const std::string& warning : plan.warnings) {
        context.reporter.warn(warning);
    }
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
