#include "cli/containers.h"

namespace knarr::cli {

namespace {

Result<int> run_start(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    context.failure_status = kRuncFailure;
    Engine engine = KNARR_TRY(open_engine(context));
    const ServiceLinks service = KNARR_TRY(service_links());
    return for_each_container(context, args, [&](std::string_view id) -> Result<> {
        KNARR_TRY(engine.start(id, service));
        const auto info = engine.state(id);
        // As docker has it; runc, whose containers are made from bundles, prints nothing.
        return info && !info->image.empty() ? print(fmt::format("{}\n", id)) : Result<>{};
    });
}

}  // namespace

constexpr Verb kStart{
    .name = "start",
    .synopsis = "ID...",
    .summary = "let the program of a created container run",
    .about =
        "Lets the program of a created container run. Fails when the program cannot be executed\n"
        "(exit status 126) or is not there (127), and when the container is not `created`. One of\n"
        "an image that has ended runs again, in the background; one that runs stays as it is.",
    .example = "knarr start web",
    .run = run_start,
};

}  // namespace knarr::cli
