#include "cli/run_options.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "cli/containers.h"
#include "cli/health_options.h"
#include "cli/log_options.h"
#include "cli/mount_option.h"
#include "cli/pull_options.h"
#include "cli/resource_options.h"
#include "cli/setting_options.h"
#include "cli/volume.h"
#include "core/ascii.h"
#include "core/text.h"
#include "engine/resolve.h"
#include "spec/json_reader.h"

namespace knarr::cli {

namespace {

Result<std::optional<std::int64_t>> parse_memory(const Parsed& args) {
    const auto text = args.find("memory");
    if (!text) {
        return std::nullopt;
    }
    const std::int64_t bytes = KNARR_TRY(parse_size(*text, "--memory"));
    return bytes == 0 ? std::optional<std::int64_t>() : bytes;  // docker's word for: no limit
}

Result<std::optional<std::int64_t>> parse_pids(const Parsed& args) {
    const auto text = args.find("pids-limit");
    if (!text) {
        return std::nullopt;
    }
    if (*text == "-1" || *text == "0") {
        return -1;  // podman's and docker's spellings of "no limit"
    }
    constexpr std::uint64_t kMaxPids = 4'194'304;  // the kernel's PID_MAX_LIMIT
    const auto number = KNARR_TRY(args.number("pids-limit", kMaxPids));
    return static_cast<std::int64_t>(*number);
}

Result<NetworkMode> parse_network(std::string_view text) {
    if (text == "none") {
        return NetworkMode::none;
    }
    if (text == "host") {
        return NetworkMode::host;
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = fmt::format("--network {} is not built yet", printable(text)),
                      .hint = "none (loopback only) and host are"});
}

Result<PullPolicy> parse_pull_policy(std::string_view text) {
    if (text == "missing") {
        return PullPolicy::missing;
    }
    if (text == "always") {
        return PullPolicy::always;
    }
    if (text == "never") {
        return PullPolicy::never;
    }
    return fail(
        Errc::invalid_argument, "--pull \"{}\" is none of missing, always, never", printable(text));
}

/// --attach of one that runs in the foreground; `create` takes it as docker does: `start -a` says
/// then what is attached.
Result<> parse_streams(const Parsed& args, RunKind kind, RunRequest& request) {
    if (!args.has("attach")) {
        request.streams.in = args.flag("interactive");
        return {};
    }
    StandardStreams chosen{.in = false, .out = false, .err = false};
    for (const std::string_view option : args.all("attach")) {
        for (const std::string_view text : split(option, ',')) {
            const std::string name = to_lower(std::string(text));
            if (name != "stdin" && name != "stdout" && name != "stderr") {
                return fail(Errc::invalid_argument,
                            "--attach \"{}\" is none of stdin, stdout, stderr",
                            printable(text));
            }
            (name == "stdin" ? chosen.in : name == "stdout" ? chosen.out : chosen.err) = true;
        }
    }
    if (kind == RunKind::run && args.flag("detach")) {
        return fail(Errc::invalid_argument,
                    "--attach and --detach contradict each other: one stays in front of what the "
                    "other leaves");
    }
    if (kind == RunKind::run && args.flag("tty") && !chosen.out && !chosen.err) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "--attach stdin with --tty: a terminal that is typed into and "
                                     "not shown is not built",
                          .hint = "knarr run -dit, then knarr attach"});
    }
    request.streams = kind == RunKind::run ? chosen : StandardStreams{};
    return {};
}

constexpr std::uint64_t kMaxStopSeconds = std::uint64_t{365} * 24 * 3600;

Result<> parse_restart(const Parsed& args, RunRequest& request) {
    request.restart = KNARR_TRY(parse_restart_policy(args.get("restart")), "--restart");
    if (request.restart.mode == RestartMode::no) {
        return {};
    }
    if (args.flag("rm")) {
        return fail(Errc::invalid_argument,
                    "--rm and --restart contradict each other: one removes what the other starts "
                    "again");
    }
    return {};
}

/// What only a monitor does for a container; empty: nothing.
std::string_view asks_for_monitor(const Parsed& args, const RunRequest& request) {
    if (request.restart.mode != RestartMode::no) {
        return "restart";
    }
    if (!attach_request(args).pass_signals) {
        return "sig-proxy=false";
    }
    const auto* const health = std::ranges::find_if(kHealthOptions, [&](const Option& option) {
        return option.name != "no-healthcheck" && args.has(option.name);
    });
    return health == kHealthOptions.end() ? std::string_view() : health->name;
}

/// A container with a log is in the background, with the caller in front of it. One that is gone
/// at its end needs none, and has the caller's own streams; nor has one whose readiness the
/// caller's service manager waits for, to which it is the caller.
Result<RunFront> choose_front(const Parsed& args, const RunRequest& request) {
    if (args.flag("detach")) {
        return RunFront::nobody;
    }
    if (request.terminal) {
        return RunFront::attached;
    }
    const std::string_view asked = asks_for_monitor(args, request);
    if (!request.log.keep && !asked.empty()) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("--{} in the foreground needs a log, which --log-driver none "
                                   "leaves out: who is in front of the container reads that",
                                   asked),
            .hint = "leave out --log-driver none, or run it with --detach"});
    }
    const bool may_be_direct =
        request.remove || !request.log.keep || !request.service.notify_socket.empty();
    return may_be_direct && asked.empty() ? RunFront::direct : RunFront::attached;
}

Result<> parse_stop_and_log(const Parsed& args, RunKind kind, RunRequest& request) {
    request.id_file = args.get("cidfile");
    if (args.has("cidfile") && request.id_file.empty()) {
        return fail(Errc::invalid_argument, "--cidfile is empty");
    }
    request.stop_signal = args.get("stop-signal");
    if (args.has("stop-signal") && request.stop_signal.empty()) {
        return fail(Errc::invalid_argument, "--stop-signal is empty");
    }
    if (args.get("stop-timeout") == "-1") {
        request.stop_timeout = std::chrono::seconds(kMaxStopSeconds);
    } else if (const auto seconds = KNARR_TRY(args.number("stop-timeout", kMaxStopSeconds))) {
        request.stop_timeout = std::chrono::seconds(*seconds);
    }
    request.log = KNARR_TRY(parse_log(args));
    KNARR_TRY(parse_restart(args, request));
    KNARR_TRY(parse_streams(args, kind, request));
    request.health = KNARR_TRY(parse_health(args));
    return {};
}

}  // namespace

Result<std::vector<std::string>> parse_env(const Parsed& args) {
    std::vector<std::string> env;
    for (const std::string_view setting : args.all("env")) {
        if (setting.empty() || setting.front() == '=') {
            return fail(
                Errc::invalid_argument, "--env \"{}\" is not NAME=VALUE", printable(setting));
        }
        for (std::string& one : env_settings(setting)) {
            env.push_back(std::move(one));
        }
    }
    return env;
}

Result<std::int64_t> parse_cpus(std::string_view text) {
    const std::size_t dot = text.find('.');
    const std::string_view whole = text.substr(0, dot);
    std::string digits(dot == std::string_view::npos ? "" : text.substr(dot + 1));
    constexpr std::uint64_t kMaxCpus = 8192;
    const auto cpus = parse_number(whole.empty() ? "0" : whole, kMaxCpus);
    digits.resize(5, '0');  // microseconds of 100 ms: finer parts do not count
    const auto part = parse_number(digits, 99'999);
    const std::size_t written = dot == std::string_view::npos ? 0 : text.size() - dot - 1;
    const bool malformed = whole.empty() && written == 0;
    const bool junk = written != 0 && !is_digits(text.substr(dot + 1));
    if (!cpus || !part || malformed || junk) {
        return fail(Errc::invalid_argument,
                    "--cpus \"{}\" is not a number of CPUs such as 1.5, at most {}",
                    printable(text),
                    kMaxCpus);
    }
    const auto quota = static_cast<std::int64_t>(*cpus * std::uint64_t{kCpuPeriodUs} + *part);
    constexpr std::int64_t kLeastQuotaUs = 1000;  // the kernel's
    if (quota < kLeastQuotaUs) {
        return fail(Errc::invalid_argument, "--cpus {} is below 0.01", printable(text));
    }
    return quota;
}

namespace {

Result<> parse_volumes(const Parsed& args, ParsedRun& out) {
    KNARR_TRY(check_volume_driver(args.get("volume-driver", "local")));
    for (const std::string_view text : args.all("volumes-from")) {
        out.request.volumes_from.emplace_back(text);
    }
    const std::vector<std::string_view> volumes = args.all("volume");
    for (auto at = volumes.begin(); at != volumes.end(); ++at) {
        if (std::find(volumes.begin(), at, *at) != at) {
            continue;  // said twice, as docker has it
        }
        ParsedVolume parsed = KNARR_TRY(parse_volume(*at));
        out.request.volumes.push_back(std::move(parsed.volume));
        std::move(parsed.warnings.begin(), parsed.warnings.end(), std::back_inserter(out.warnings));
    }
    for (const std::string_view text : args.all("mount")) {
        ParsedMount parsed = KNARR_TRY(parse_mount(text));
        if (parsed.volume) {
            out.request.volumes.push_back(std::move(*parsed.volume));
        } else {
            out.request.settings.tmpfs.push_back(std::move(*parsed.tmpfs));
        }
    }
    return {};
}

/// A program, or podman's JSON array of one and its arguments; empty: none.
Result<> read_entrypoint(std::string_view text, std::vector<std::string>& out) {
    if (!text.starts_with('[')) {
        if (!text.empty()) {
            out.emplace_back(text);
        }
        return {};
    }
    const auto document = spec::JsonDocument::parse(
        text, {.name = "--entrypoint", .failure = Errc::invalid_argument});
    if (!document) {
        out.emplace_back(text);  // a program may be called so
        return {};
    }
    for (const auto& child : document->root().children()) {
        out.emplace_back(KNARR_TRY(child.value.string()));
    }
    return {};
}

/// docker's names of runtimes whose wall is the native one.
Result<> check_runtime(std::string_view name) {
    constexpr std::array<std::string_view, 4> kNative{
        "knarr", "runc", "crun", "io.containerd.runc.v2"};
    if (std::ranges::find(kNative, name) != kNative.end()) {
        return {};
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = fmt::format("--runtime {}: knarr is the runtime itself, and has "
                                             "no other",
                                             printable(name)),
                      .hint = "leave it out; --isolation chooses the kind of wall"});
}

}  // namespace

Result<ParsedRun> parse_run(const Parsed& args, RunKind kind) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which image? IMAGE is missing");
    }
    ParsedRun out;
    RunRequest& request = out.request;
    request.image = args.positionals.front();
    request.command.assign(args.positionals.begin() + 1, args.positionals.end());
    if (const auto entrypoint = args.find("entrypoint")) {
        request.entrypoint.emplace();
        KNARR_TRY(read_entrypoint(*entrypoint, *request.entrypoint));
    }
    request.env = KNARR_TRY(parse_whole_env(args));
    request.workdir = args.get("workdir");
    request.user = args.get("user");
    request.hostname = args.get("hostname");
    request.name = engine::without_slash(args.get("name"));
    request.replace = args.flag("replace");
    if (request.replace && request.name.empty()) {
        return fail(Errc::invalid_argument, "--replace: whom? --name says which container it is");
    }
    KNARR_TRY(parse_volumes(args, out));
    request.terminal = args.flag("tty");
    request.read_only = args.flag("read-only");
    request.read_only_scratch = args.get("read-only-tmpfs", "true") == "true";
    request.remove = args.flag("rm");
    request.memory_bytes = KNARR_TRY(parse_memory(args));
    if (const auto cpus = args.find("cpus"); cpus && *cpus != "0") {
        request.cpu_quota_us = KNARR_TRY(parse_cpus(*cpus));
    }
    request.pids_limit = KNARR_TRY(parse_pids(args));
    request.network = KNARR_TRY(parse_network(args.get("network", args.get("net", "none"))));
    KNARR_TRY(check_runtime(args.get("runtime", "knarr")));
    request.isolation = KNARR_TRY(parse_isolation(
        args.get("isolation", "native") == "default" ? "native" : args.get("isolation", "native")));
    request.pull = KNARR_TRY(parse_pull_policy(args.get("pull", "missing")));
    request.pull_options = KNARR_TRY(parse_pull_options(args));
    request.service = KNARR_TRY(service_links());
    KNARR_TRY(parse_stop_and_log(args, kind, request));
    KNARR_TRY(parse_settings(args, request, out.warnings));
    out.front = kind == RunKind::run ? KNARR_TRY(choose_front(args, request)) : RunFront::nobody;
    return out;
}

}  // namespace knarr::cli
