#include <array>

#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/image_verbs.h"
#include "core/core.h"
#include "engine/changes.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "format", .value = "FORMAT", .help = "json: one object, as podman has it"},
    kLatestOption,
};

Result<int> run_diff(Context& context, const Parsed& args) {
    const std::string_view format = args.get("format");
    if (!format.empty() && format != "json") {
        return fail(Errc::invalid_argument, "--format \"{}\" is not json", printable(format));
    }
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::string id = KNARR_TRY(only_container(engine, args));
    const auto changes = KNARR_TRY(engine::changes_of(engine_options(context), id));
    if (!format.empty()) {
        KNARR_TRY(print(changes_json(changes)));
        return 0;
    }
    std::string text;
    for (const engine::Change& change : changes) {
        text += fmt::format("{} {}\n", change.kind, printable(change.path, limits::kMaxPathBytes));
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

std::string changes_json(const std::vector<FileChange>& changes) {
    spec::JsonWriter json;
    json.begin_object();
    for (const auto& [kind, name] :
         {std::pair('C', "changed"), std::pair('A', "added"), std::pair('D', "deleted")}) {
        json.key(name).begin_array();
        for (const engine::Change& change : changes) {
            if (change.kind == kind) {
                json.value(change.path);
            }
        }
        json.end_array();
    }
    json.end_object();
    return std::move(json).text() + "\n";
}

constexpr Verb kDiff{
    .name = "diff",
    .synopsis = "[options] ID",
    .summary = "list what a container changed in its image's files",
    .about =
        "Prints a line for each path that the container's own layer has: A added, C changed, D\n"
        "deleted. What is in volumes and other mounts is not in it.",
    .example = "knarr diff web",
    .options = kOptions,
    .run = run_diff,
};

}  // namespace knarr::cli
