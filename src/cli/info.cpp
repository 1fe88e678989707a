#include "engine/info.h"

#include <algorithm>
#include <array>

#include <fcntl.h>

#include "cli/containers.h"
#include "cli/json_template.h"
#include "cli/verb.h"
#include "cli/version.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"
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

/// What docker's info says of the machine, and what is kept here; what cannot be read is empty.
struct DockerFacts {
    std::uint64_t cpus = 0, memory_bytes = 0;
    std::string name, system;
    std::size_t running = 0, paused = 0, stopped = 0, images = 0;
};

/// What the system calls itself. Source: os-release(5), PRETTY_NAME.
std::string system_name() {
    constexpr std::string_view kMember = "PRETTY_NAME=";
    const std::string text = sys::read_file("/etc/os-release", size::kMiB).value_or(std::string());
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with(kMember)) {
            std::string_view value = line.substr(kMember.size());
            value.remove_prefix(std::min(value.find_first_not_of(" \""), value.size()));
            return std::string(value.substr(0, value.find_last_not_of(" \"") + 1));
        }
    }
    return {};
}

DockerFacts docker_facts(Context& context) {
    DockerFacts facts;
    const sys::HostSize size = sys::host_size();
    facts.cpus = size.cpus;
    facts.memory_bytes = size.memory_bytes;
    facts.name = sys::host_name();
    facts.system = system_name();
    const auto engine = open_engine(context);
    const auto containers = engine ? engine->list() : fail(engine.error());
    for (const ContainerInfo& one : containers.value_or(std::vector<ContainerInfo>())) {
        ++(one.state == ContainerState::running  ? facts.running
           : one.state == ContainerState::paused ? facts.paused
                                                 : facts.stopped);
    }
    const auto images = engine ? engine->images() : fail(engine.error());
    facts.images = images ? images->size() : 0;
    return facts;
}

/// docker's names for which limits this host has.
void write_limits(spec::JsonWriter& json, const engine::HostReport& report) {
    const auto has = [&](std::string_view controller) {
        return std::ranges::find(report.cgroup_controllers, controller) !=
               report.cgroup_controllers.end();
    };
    const auto is_there = [](const std::string& path) {
        return static_cast<bool>(sys::open_path(path, O_PATH));
    };
    const bool v2 = report.cgroup_layout == sys::CgroupLayout::v2;
    json.member("MemoryLimit", has("memory"));
    // v2 counts swap wherever the kernel has any.
    json.member(
        "SwapLimit",
        has("memory") &&
            is_there(v2 ? "/proc/swaps" : "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"));
    json.member("OomKillDisable", !v2 && has("memory"));
    json.member("CpuCfsPeriod", has("cpu")).member("CpuCfsQuota", has("cpu"));
    json.member("CPUShares", has("cpu")).member("CPUSet", has("cpuset"));
    json.member("PidsLimit", has("pids"));
    json.member("IPv4Forwarding",
                sys::read_file("/proc/sys/net/ipv4/ip_forward", 64)
                    .value_or(std::string())
                    .starts_with('1'));
}

/// What docker's daemon says of itself, and of what there is none of here.
void write_daemon(spec::JsonWriter& json) {
    json.member("Debug", false).member("ExperimentalBuild", false);
    json.member("LiveRestoreEnabled", true);  // containers need no daemon to live
    json.member("InitBinary", "knarr-init").member("Isolation", "");
    json.key("Warnings").null();
    json.key("Plugins").begin_object();
    json.member("Volume", std::vector<std::string_view>{"local"})
        .member("Network", std::vector<std::string_view>{"host", "null"});
    json.key("Authorization").null();
    json.member("Log", std::vector<std::string_view>{"k8s-file", "journald", "none"}).end_object();
    json.key("Swarm").begin_object().member("NodeID", "").member("NodeAddr", "");
    json.member("LocalNodeState", "inactive").member("ControlAvailable", false);
    json.member("Error", "").key("RemoteManagers").null().end_object();
}

/// docker's names for what there is here; what there is not, it does not name.
void write_docker(spec::JsonWriter& json,
                  const engine::HostReport& report,
                  const DockerFacts& facts) {
    json.member("NCPU", facts.cpus).member("MemTotal", facts.memory_bytes);
    json.member("Name", facts.name).member("OperatingSystem", facts.system);
    json.member("Containers", facts.running + facts.paused + facts.stopped);
    json.member("ContainersRunning", facts.running).member("ContainersPaused", facts.paused);
    json.member("ContainersStopped", facts.stopped).member("Images", facts.images);
    std::vector<std::string> security;
    const auto seccomp = std::ranges::find(report.features, "seccomp", &engine::Feature::name);
    if (seccomp != report.features.end() && seccomp->available) {
        security.emplace_back("name=seccomp,profile=builtin");
    }
    json.member("SecurityOptions", security).member("DefaultRuntime", "knarr");
    json.key("Runtimes").begin_object().key("knarr").begin_object();
    json.member("path", "knarr").end_object().end_object();
    json.member("LoggingDriver", "k8s-file");
    // There is no daemon that could have one.
    json.member("ID", "").member("Labels", std::vector<std::string>());
}

std::string as_json(const engine::HostReport& report,
                    const Globals& globals,
                    const std::string& snapshot_driver,
                    const DockerFacts& facts) {
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
    json.member("Driver", snapshot_driver).member("DockerRootDir", globals.data_root);
    write_docker(json, report, facts);
    write_limits(json, report);
    write_daemon(json);
    json.end_object();
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
    // Lines that scripts look for in docker's.
    out += fmt::format("docker's names:\n  Server Version: {}\n  Storage Driver: {}\n",
                       KNARR_VERSION,
                       snapshot_driver);
    out += fmt::format("  Cgroup Driver: {}\n  Cgroup Version: {}\n  Docker Root Dir: {}\n",
                       name_of(globals.cgroup_manager),
                       report.cgroup_layout == sys::CgroupLayout::v2 ? "2" : "1",
                       globals.data_root);
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
        text = KNARR_TRY(formatted(args, as_json(report, globals, driver, docker_facts(context)))) +
               "\n";
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
