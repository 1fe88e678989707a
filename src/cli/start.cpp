#include "cli/containers.h"

namespace knarr::cli {

namespace {

Result<int> run_start(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    context.failure_status = kRuncFailure;
    Engine engine = KNARR_TRY(open_engine(context));
    const ServiceLinks service = KNARR_TRY(service_links());
    KNARR_TRY(engine.start(id, service));
    return 0;
}

}  // namespace

constexpr Verb kStart{
    .name = "start",
    .synopsis = "ID",
    .summary = "let the program of a created container run",
    .about =
        "Lets the program of a created container run. Fails when the program cannot be executed\n"
        "(exit status 126) or is not there (127), and when the container is not `created`.",
    .example = "knarr start web",
    .run = run_start,
};

}  // namespace knarr::cli
