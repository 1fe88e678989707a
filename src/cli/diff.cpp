#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/refused.h"
#include "core/core.h"
#include "engine/changes.h"

namespace knarr::cli {

namespace {

Result<int> run_diff(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    std::string text;
    for (const engine::Change& change :
         KNARR_TRY(engine::changes_of(engine_options(context), id))) {
        text += fmt::format("{} {}\n", change.kind, printable(change.path, limits::kMaxPathBytes));
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kDiff{
    .name = "diff",
    .synopsis = "ID",
    .summary = "list what a container changed in its image's files",
    .about =
        "Prints a line for each path that the container's own layer has: A added, C changed, D\n"
        "deleted. What is in volumes and other mounts is not in it.",
    .example = "knarr diff web",
    .rules = {.refused = kRefusedByDiff},
    .run = run_diff,
};

}  // namespace knarr::cli
