#include "cli/version.h"

#include <array>

#include "cli/json_template.h"
#include "cli/verb.h"
#include "engine/info.h"
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
    kTemplateOption,
};

Result<int> run_version(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    if (!args.flag("json") && !args.has("format")) {
        KNARR_TRY(print(version_text()));
        return 0;
    }
    const engine::HostReport report = engine::report_host(KNARR_TRY(sys::probe_host()), {});
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object().member("name", "knarr").member("version", KNARR_VERSION);
    json.member("commit", build_commit()).member("runtime_spec", kRuntimeSpec);
    json.member("image_spec", kImageSpec);
    for (const std::string_view side : {"Client", "Server"}) {  // docker's: here they are one
        json.key(side).begin_object().member("Version", KNARR_VERSION);
        json.member("GitCommit", build_commit()).member("Os", report.os);
        json.member("Arch", report.architecture).member("KernelVersion", report.kernel);
        // Neither an API nor Go is in it.
        json.member("APIVersion", "").member("GoVersion", "");
        json.key("Platform").begin_object().member("Name", "knarr").end_object();
        json.member("BuildTime", "");  // equal sources make equal programs
        if (side == "Client") {
            json.member("DefaultAPIVersion", "").member("Context", "default").end_object();
            continue;
        }
        json.member("MinAPIVersion", "").member("Experimental", false);
        json.key("Components").begin_array().begin_object().member("Name", "Engine");
        json.member("Version", KNARR_VERSION).end_object().end_array().end_object();
    }
    json.end_object();
    const std::string text = KNARR_TRY(formatted(args, std::move(json).text()));
    KNARR_TRY(print(text + "\n"));
    return 0;
}

}  // namespace

constexpr Verb kVersion{
    .name = "version",
    .synopsis = "[--json | --format TEMPLATE]",
    .summary = "print the version",
    .about =
        "Prints the version, the commit and the newest OCI runtime specification that is read.",
    .example = "knarr version --json",
    .options = kOptions,
    .run = run_version,
};

}  // namespace knarr::cli
