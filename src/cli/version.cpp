#include "cli/version.h"

#include <array>

#include "cli/verb.h"
#include "spec/json_writer.h"

namespace knarr::cli {

std::string_view build_commit() {
    return KNARR_COMMIT;
}

std::string version_text() {
    return fmt::format(
        "knarr version {}\ncommit: {}\nspec: {}\n", KNARR_VERSION, build_commit(), kRuntimeSpec);
}

namespace {

constexpr std::array kOptions{
    Option{.name = "json", .help = "print JSON"},
};

Result<int> run_version(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    if (!args.flag("json")) {
        KNARR_TRY(print(version_text()));
        return 0;
    }
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object().member("name", "knarr").member("version", KNARR_VERSION);
    json.member("commit", build_commit()).member("runtime_spec", kRuntimeSpec);
    json.member("image_spec", kImageSpec).end_object();
    KNARR_TRY(print(std::move(json).text() + "\n"));
    return 0;
}

}  // namespace

constexpr Verb kVersion{
    .name = "version",
    .synopsis = "[--json]",
    .summary = "print the version",
    .about =
        "Prints the version, the commit and the newest OCI runtime specification that is read.",
    .example = "knarr version --json",
    .options = kOptions,
    .run = run_version,
};

}  // namespace knarr::cli
