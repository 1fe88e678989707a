#include "engine/info.h"

#include <array>

#include "cli/json_template.h"
#include "cli/verb.h"
#include "cli/version.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "json", .help = "print JSON"},
    kTemplateOption,
};

void write_features(spec::JsonWriter& json, const std::vector<engine::Feature>& features) {
    json.begin_object();
    for (const engine::Feature& feature : features) {
        json.key(feature.name).begin_object().member("available", feature.available);
        if (!feature.available) {
            json.member("reason", feature.reason);
        }
        json.end_object();
    }
    json.end_object();
}

std::string as_json(const engine::HostReport& report,
                    const Globals& globals,
                    const std::string& snapshot_driver) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object().member("version", KNARR_VERSION).member("commit", build_commit());
    json.member("runtimeSpec", kRuntimeSpec).member("imageSpec", kImageSpec);
    json.member("os", report.os).member("architecture", report.architecture);
    json.member("platform", report.os + "/" + report.architecture);
    json.member("machine", report.machine).member("kernel", report.kernel);
    json.key("cgroup").begin_object();
    json.member("layout", engine::name_of(report.cgroup_layout));
    json.member("manager", name_of(globals.cgroup_manager))
        .member("controllers", report.cgroup_controllers);
    json.end_object();
    json.key("isolation");
    write_features(json, report.isolation);
    json.key("features");
    write_features(json, report.features);
    json.member("snapshotDriver", snapshot_driver);
    json.member("root", globals.root).member("dataRoot", globals.data_root);
    // docker's names for some of it.
    json.member("ServerVersion", KNARR_VERSION).member("OSType", report.os);
    json.member("Architecture", report.machine).member("KernelVersion", report.kernel);
    json.member("CgroupDriver", name_of(globals.cgroup_manager));
    json.member("CgroupVersion", report.cgroup_layout == sys::CgroupLayout::v2 ? "2" : "1");
    json.member("Driver", snapshot_driver).member("DockerRootDir", globals.data_root).end_object();
    return std::move(json).text();
}

void append_features(std::string& out,
                     std::string_view title,
                     const std::vector<engine::Feature>& all) {
    out += fmt::format("{}:\n", title);
    for (const engine::Feature& feature : all) {
        out += fmt::format(
            "  {:<17} {}\n", feature.name, feature.available ? "yes" : "no: " + feature.reason);
    }
}

std::string as_text(const engine::HostReport& report,
                    const Globals& globals,
                    const std::string& snapshot_driver) {
    std::string controllers;
    for (const std::string& controller : report.cgroup_controllers) {
        controllers += " " + controller;
    }
    std::string out = fmt::format(
        "knarr:     {} (commit {}, runtime-spec {})\n"
        "host:      {}/{}, kernel {}\n"
        "cgroups:   {},{}\n"
        "root:      {}\n"
        "data root: {}\n"
        "layers:    {}\n",
        KNARR_VERSION,
        build_commit(),
        kRuntimeSpec,
        report.os,
        report.architecture,
        report.kernel,
        engine::name_of(report.cgroup_layout),
        controllers.empty() ? " no controllers" : controllers,
        globals.root,
        globals.data_root,
        snapshot_driver);
    append_features(out, "isolation", report.isolation);
    append_features(out, "features", report.features);
    return out;
}

Result<int> run_info(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const sys::HostFacts facts = KNARR_TRY(sys::probe_host());
    engine::HostReport report = engine::report_host(facts, {});
    report.features.push_back(engine::erofs_layers(context.globals.data_root));
    const Globals& globals = context.globals;
    const std::string driver =
        KNARR_TRY(engine::snapshot_driver(globals.snapshot_driver, globals.data_root));
    std::string text = as_text(report, globals, driver);
    if (args.flag("json") || args.has("format")) {
        text = KNARR_TRY(formatted(args, as_json(report, globals, driver))) + "\n";
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kInfo{
    .name = "info",
    .synopsis = "[--json | --format TEMPLATE]",
    .summary = "print what this host and this build can do",
    .about =
        "Prints the platform, the cgroup layout, which kinds of isolation can be used and what "
        "the\n"
        "kernel offers. What cannot be had is shown with the reason.",
    .example = "knarr info --json",
    .options = kOptions,
    .run = run_info,
};

}  // namespace knarr::cli
