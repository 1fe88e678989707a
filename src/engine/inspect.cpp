#include "engine/inspect.h"

#include <algorithm>
#include <chrono>

#include <fcntl.h>

#include "bundle/read.h"
#include "core/text.h"
#include "engine/container_data.h"
#include "engine/container_volumes.h"
#include "engine/inspect_host_config.h"
#include "engine/inspect_mounts.h"
#include "engine/live.h"
#include "engine/log_store.h"
#include "engine/monitor_lock.h"
#include "engine/operate.h"
#include "engine/owner.h"
#include "engine/tree_copy.h"
#include "engine/volumes.h"
#include "layer/stored.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/signal.h"
#include "platform/task.h"
#include "spec/json_writer.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

constexpr std::string_view kNever = "0001-01-01T00:00:00Z";  // Go's zero time, which docker shows
constexpr std::chrono::seconds kConcludeTime{2};
constexpr int kUnknownExit = 255;  // as podman and containerd have it for an end that nobody saw

/// docker's words for the states.
std::string_view docker_status(ContainerState state) {
    switch (state) {
        case ContainerState::creating:
        case ContainerState::created:
            return "created";
        case ContainerState::running:
            return "running";
        case ContainerState::paused:
            return "paused";
        case ContainerState::stopped:
            break;
    }
    return "exited";
}

/// docker's State.Health.
void write_health(spec::JsonWriter& json, const HealthReport& health) {
    json.key("Health").begin_object().member("Status", name_of(health.status));
    json.member("FailingStreak", health.failing_streak).key("Log").begin_array();
    for (const ProbeResult& one : health.log) {
        json.begin_object().member("Start", one.start).member("End", one.end);
        json.member("ExitCode", one.exit_code).member("Output", one.output).end_object();
    }
    json.end_array().end_object();
}

/// docker's Config.Healthcheck, whose times are nanoseconds.
void write_health_check(spec::JsonWriter& json, const HealthCheck& check) {
    const auto nanoseconds = [](std::chrono::milliseconds time) {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
    };
    std::vector<std::string> test{"CMD"};
    test.insert(test.end(), check.command.begin(), check.command.end());
    json.key("Healthcheck").begin_object().member("Test", test);
    json.member("Interval", nanoseconds(check.interval));
    json.member("Timeout", nanoseconds(check.timeout));
    json.member("StartPeriod", nanoseconds(check.start_period));
    json.member("StartInterval", nanoseconds(check.start_interval));
    json.member("Retries", check.retries).end_object();
}

void write_state(spec::JsonWriter& json, const ContainerInfo& info) {
    const bool paused = info.state == ContainerState::paused;
    const bool ended = info.state == ContainerState::stopped;
    json.key("State").begin_object();
    json.member("Status", info.restarting ? "restarting" : docker_status(info.state));
    json.member("Running", paused || info.restarting || info.state == ContainerState::running);
    json.member("Paused", paused).member("Restarting", info.restarting);
    json.member("OOMKilled", info.oom_killed).member("Dead", false).member("Pid", info.pid);
    json.member("ExitCode", ended ? info.exit_code.value_or(kUnknownExit) : 0);
    const bool unknown = ended && !info.exit_code && !info.finished.empty();
    json.member("Error",
                !info.trouble.empty() ? info.trouble
                : info.failure        ? info.failure->error
                : unknown             ? std::string("nobody saw how it ended")
                                      : std::string());
    json.member("StartedAt", info.started.empty() ? kNever : std::string_view(info.started));
    json.member("FinishedAt", info.finished.empty() ? kNever : std::string_view(info.finished));
    if (info.health) {
        write_health(json, *info.health);
    }
    json.end_object();
}

/// docker's set of names without values.
void write_set(spec::JsonWriter& json,
               std::string_view name,
               const std::vector<std::string>& names) {
    json.key(name).begin_object();
    for (const std::string& one : names) {
        json.key(one).begin_object().end_object();
    }
    json.end_object();
}

/// docker's lists are null where they are empty.
void write_words(spec::JsonWriter& json,
                 std::string_view name,
                 const std::vector<std::string>& words) {
    if (words.empty()) {
        json.key(name).null();
    } else {
        json.member(name, words);
    }
}

void write_config(spec::JsonWriter& json,
                  const ContainerInfo& info,
                  const spec::RuntimeConfig& config,
                  const Life& life) {
    json.key("Config").begin_object().member("Hostname", config.hostname);
    if (config.process) {
        const spec::Process& process = *config.process;
        const Asked asked = life.asked.value_or(
            Asked{.user = fmt::format("{}:{}", process.user.uid, process.user.gid),
                  .workdir = process.cwd,
                  .implied = {},
                  .image = {}});
        std::vector<std::string> env = process.env;
        std::erase_if(env, [&](const std::string& setting) {
            return std::ranges::find(asked.implied, setting.substr(0, setting.find('='))) !=
                   asked.implied.end();
        });
        json.member("User", asked.user).member("Tty", process.terminal).member("Env", env);
        json.member("WorkingDir", asked.workdir);
        const bool is_known = !asked.entrypoint.empty() || !asked.command.empty();
        write_words(json, "Cmd", is_known ? asked.command : process.args);
        write_words(json, "Entrypoint", asked.entrypoint);
        if (asked.volumes.empty()) {
            json.key("Volumes").null();
        } else {
            write_set(json, "Volumes", asked.volumes);
        }
    }
    json.member("Domainname", config.domainname);
    json.member("OpenStdin", life.keeps_stdin).member("StdinOnce", false);
    // Who is attached is no property of a container here.
    json.member("AttachStdin", false).member("AttachStdout", false).member("AttachStderr", false);
    write_set(json, "ExposedPorts", life.exposed);
    json.key("OnBuild").null();
    json.member("Image", info.image_name).member("Labels", info.labels);
    json.member("StopSignal", sys::signal_name(info.stop_signal));
    if (info.stop_timeout) {
        json.member("StopTimeout", info.stop_timeout->count());
    }
    if (info.health) {
        write_health_check(json, info.health->check);
    }
    json.end_object();
}

/// docker's members of an address in a network, of which there are none.
void write_addresses(spec::JsonWriter& json) {
    json.member("EndpointID", "").member("IPAddress", "").member("IPPrefixLen", 0);
    json.member("Gateway", "").member("MacAddress", "").member("IPv6Gateway", "");
    json.member("GlobalIPv6Address", "").member("GlobalIPv6PrefixLen", 0);
}

/// docker's: there are no networks but the host's and none, and so no addresses.
void write_networks(spec::JsonWriter& json,
                    const spec::RuntimeConfig& config,
                    const ContainerInfo& info) {
    const bool own = has_namespace(config, spec::NamespaceType::network);
    json.key("NetworkSettings").begin_object().member("Bridge", "").member("SandboxID", "");
    // The network's namespace as a path, while there is one: docker's is a path of its own.
    json.member("SandboxKey", info.pid > 0 ? fmt::format("/proc/{}/ns/net", info.pid) : "");
    write_addresses(json);
    json.key("Ports").begin_object().end_object();
    json.key("Networks").begin_object().key(own ? "none" : "host").begin_object();
    json.key("IPAMConfig").null().key("Links").null().key("Aliases").null();
    json.member("NetworkID", own ? kNoNetworkId : kHostNetworkId);
    write_addresses(json);
    json.key("DriverOpts").null().key("DNSNames").null();
    json.end_object().end_object().end_object();
}

/// The file that its log is written to now, as docker has it; empty where there is none yet.
std::string log_path(const ContainerInfo& info) {
    const auto dir = info.log_dir.empty() ? fail(Errc::not_found, "no log")
                                          : sys::open_path(info.log_dir, O_RDONLY | O_DIRECTORY);
    const auto numbers = dir ? log_numbers(*dir) : fail(dir.error());
    return numbers && !numbers->empty()
               ? fmt::format("{}/{}", info.log_dir, log_name(numbers->back()))
               : std::string();
}

/// Of one made from an image: where its files are, and what they take.
Result<> write_files(spec::JsonWriter& json, const Record& record, Sizes sizes) {
    if (record.data_dir.empty()) {
        return {};
    }
    const std::string root = data_root_of(record.data_dir);
    const auto store = store::Store::open(root);
    const auto use = store ? read_use(root, record.id) : fail(store.error());
    const auto lowers = use ? layer::lower_paths(*store, use->chain) : fail(use.error());
    const bundle::OverlayRoot overlay =
        planned_root(lowers.value_or(std::vector<std::string>()), record.data_dir);
    json.key("GraphDriver").begin_object().member("Name", "overlay").key("Data").begin_object();
    json.member("LowerDir", fmt::format("{}", fmt::join(overlay.lowers, ":")));
    json.member("MergedDir", overlay.merged).member("UpperDir", overlay.upper);
    json.member("WorkDir", overlay.work).end_object().end_object();
    if (sizes == Sizes::left_out) {
        return {};
    }
    const auto upper = sys::open_path(overlay.upper, O_RDONLY | O_DIRECTORY);
    const std::uint64_t written = upper ? KNARR_TRY(owned_tree_bytes(*upper), "size") : 0;
    std::uint64_t all = written;
    for (const spec::Digest& layer : use ? use->chain : std::vector<spec::Digest>()) {
        all += KNARR_TRY(layer::read_layer_info(*store, layer), "size").bytes;
    }
    json.member("SizeRw", written).member("SizeRootFs", all);
    return {};
}

/// Gives its monitors the time to put down an end that has just been: how it was is asked for.
Result<Seen> look_concluded(const Context& context, const ContainerId& id) {
    sys::Patience patience{kConcludeTime};
    while (true) {
        Seen seen = KNARR_TRY(look_at(context, id));
        if (!is_end_untold(seen.record, seen.live)) {
            return seen;
        }
        const auto dir = context.root.open_dir(id);
        const bool is_coming = dir && is_watched(*dir).value_or(false);
        if (!is_coming || !patience.rest()) {
            return seen;
        }
    }
}

}  // namespace

Result<std::string> inspect_container(const Context& context, const ContainerId& id, Sizes sizes) {
    const Seen seen = KNARR_TRY(look_concluded(context, id));
    const ContainerInfo info = describe_watched(context, id, seen);
    const Record& record = seen.record;
    spec::RuntimeConfig config;
    if (Result<bundle::Bundle> bundle = bundle::read_bundle(record.bundle, record.config_file)) {
        config = std::move(bundle->config);
    }
    const std::vector<std::string>& args =
        info.command.empty() && config.process ? config.process->args : info.command;
    spec::JsonWriter json;
    json.begin_object().member("Id", info.id).member("Created", info.created);
    json.member("Path", args.empty() ? std::string() : args.front());
    json.member("Args", args.empty() ? args : std::vector(args.begin() + 1, args.end()));
    write_state(json, info);
    if (!record.image.empty()) {
        const auto use = read_use(data_root_of(record.data_dir), info.id);
        json.member("Image", use ? use->image_id : record.image);
        json.member("HostnamePath", record.data_dir + "/hostname");
        json.member("HostsPath", record.data_dir + "/hosts");
        json.member("ResolvConfPath", record.data_dir + "/resolv.conf");
    }
    json.member("LogPath", log_path(info)).member("Name", info.name.empty() ? "" : "/" + info.name);
    json.member("RestartCount", info.restart_count).member("Driver", "overlay");
    json.member("Platform", "linux").member("Bundle", info.bundle).member("Rootfs", info.rootfs);
    json.member("AppArmorProfile", config.process ? config.process->apparmor_profile : "");
    json.member("ProcessLabel", config.process ? config.process->selinux_label : "");
    json.member("MountLabel", config.linux_ ? config.linux_->mount_label : "");
    json.key("ExecIDs").null();  // further programs have no IDs
    KNARR_TRY(write_files(json, record, sizes));
    write_host_config(json, record, config);
    write_mounts(json, record, config);
    write_networks(json, config, info);
    write_config(json, info, config, record.life.value_or(Life{}));
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::engine
