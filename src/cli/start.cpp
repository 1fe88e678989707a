#include "cli/attach_options.h"
#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/refused.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "attach", .letter = 'a', .help = "be in front of it, as `attach` is"},
    Option{.name = "interactive", .letter = 'i', .help = "the same, and give it what is typed"},
    kDetachKeysOption,
    kSigProxyOption,
    Option{.name = "all", .help = "instead of an ID: all containers of images that do not run"},
    kLatestOption,
    kFilterOption,
};

/// docker's start -a and -i: of one container, whose exit status is ours.
Result<int> start_attached(Context& context, const Parsed& args) {
    if (args.positionals.size() > 1) {
        return fail(Errc::invalid_argument,
                    "--attach and --interactive are for one container; \"{}\" is another one",
                    printable(args.positionals[1]));
    }
    AttachRequest request = attach_request(args);
    request.pass_input = args.flag("interactive");
    if (args.flag("all") || args.has("filter")) {
        return fail(Errc::invalid_argument,
                    "--attach and --interactive are for one container, --all and --filter for any "
                    "number");
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const std::string id = KNARR_TRY(only_container(engine, args));
    return KNARR_TRY(engine.start_attached(id, request)).value_or(0);
}

bool rests(const ContainerInfo& info) {
    return info.state == ContainerState::created || info.state == ContainerState::stopped;
}

Result<int> run_start(Context& context, const Parsed& args) {
    const bool chosen = args.flag("all") || args.flag("latest") || args.has("filter");
    if (args.positionals.empty() && !chosen) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    context.failure_status = kRuncFailure;
    if (args.flag("attach") || args.flag("interactive")) {
        return start_attached(context, args);
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const ServiceLinks service = KNARR_TRY(service_links());
    return for_each_chosen(context, engine, args, rests, [&](std::string_view id) -> Result<> {
        KNARR_TRY(engine.start(id, service));
        const auto info = engine.state(id);
        // As docker has it; runc, whose containers are made from bundles, prints nothing.
        return info && !info->image.empty() ? print(fmt::format("{}\n", id)) : Result<>{};
    });
}

}  // namespace

constexpr Verb kStart{
    .name = "start",
    .synopsis = "[options] ID...",
    .summary = "let the program of a created container run",
    .about =
        "Lets the program of a created container run. Fails when the program cannot be executed\n"
        "(exit status 126) or is not there (127), and when the container is not `created`. One of\n"
        "an image that has ended runs again, in the background; one that runs stays as it is.\n"
        "With -a or -i, one of an image runs with you in front of it, whose exit status is then\n"
        "the program's; the detach keys leave it running.",
    .example = "knarr start web",
    .options = kOptions,
    .rules = {.refused = kRefusedByStart},
    .run = run_start,
};

}  // namespace knarr::cli
