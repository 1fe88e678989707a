#include "cli/containers.h"

namespace knarr::cli {

namespace {

Result<int> run_state(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const Engine engine = KNARR_TRY(open_engine(context));
    const ContainerInfo info = KNARR_TRY(engine.state(id));
    KNARR_TRY(print(state_json(info) + "\n"));
    return 0;
}

}  // namespace

constexpr Verb kState{
    .name = "state",
    .synopsis = "ID",
    .summary = "print a container's state as JSON",
    .about =
        "Prints the state as the OCI runtime specification describes it, with runc's additions\n"
        "(rootfs, created, owner). `pid` is 0 when the container is stopped.",
    .example = "knarr state web",
    .run = run_state,
};

}  // namespace knarr::cli
