#include "cli/run_options.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include <fcntl.h>

#include "cli/attach_options.h"
#include "cli/containers.h"
#include "cli/duration.h"
#include "cli/health_options.h"
#include "cli/mount_option.h"
#include "cli/resource_options.h"
#include "cli/setting_options.h"
#include "cli/volume.h"
#include "core/ascii.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/absent.h"
#include "platform/file.h"

namespace knarr::cli {

namespace {

constexpr std::chrono::hours kMaxTimeout(7 * 24);

// Options that only the run of a bundle has.
constexpr std::array kBundleOnly{
    kBundleOption,
    kConfigOption,
    kPidFileOption,
    kConsoleSocketOption,
    kPidfdSocketOption,
    kPreserveFdsOption,
    kNoPivotOption,
    kNoNewKeyringOption,
    kNoSubreaperOption,
    Option{.name = "keep",
           .help = "bundle: keep the stopped container and, unless systemd made it, its cgroup "
                   "until `delete`"},
};

// Options that only the run of an image has.
constexpr std::array kImageOnly{
    Option{.name = "rm", .help = "leave nothing when the program has ended"},
    Option{.name = "name", .value = "NAME", .help = "a name of your own, unique"},
    Option{.name = "env",
           .letter = 'e',
           .value = "NAME=VALUE",
           .help = "set a variable; NAME alone takes your own value",
           .repeatable = true},
    Option{.name = "workdir", .letter = 'w', .value = "DIR", .help = "where the program starts"},
    Option{.name = "user",
           .letter = 'u',
           .value = "USER[:GROUP]",
           .help = "names of the image or numbers",
           .fallback = "the image's"},
    Option{.name = "volume",
           .letter = 'v',
           .value = "[HOST|NAME:]DIR[:OPTS]",
           .help = "show a host path or a volume in the container; OPTS: ro, ...",
           .repeatable = true},
    Option{.name = "volumes-from",
           .value = "ID[:ro]",
           .help = "what that container has of volumes and of the host's directories",
           .repeatable = true},
    Option{.name = "mount",
           .value = "FIELDS",
           .help = "type=bind|volume|tmpfs,source=...,target=DIR,readonly,...",
           .repeatable = true},
    Option{.name = "entrypoint",
           .value = "PROGRAM",
           .help = "instead of the image's Entrypoint and Cmd; \"\" for none"},
    Option{.name = "hostname",
           .letter = 'h',
           .value = "NAME",
           .help = "what the container calls itself"},
    Option{.name = "read-only",
           .help = "the root file system cannot be written; /tmp, /run, /var/tmp can"},
    Option{.name = "memory", .letter = 'm', .value = "SIZE", .help = "at most so much: 512m, 2g"},
    Option{.name = "cpus", .value = "N", .help = "at most so many CPUs: 1.5"},
    Option{.name = "pids-limit",
           .value = "N",
           .help = "at most so many processes; -1 or 0: no limit",
           .fallback = "2048"},
    Option{.name = "net", .value = "MODE", .help = "the same as --network"},
    Option{.name = "network",
           .value = "MODE",
           .help = "none (loopback only) or host",
           .fallback = "none"},
    Option{.name = "restart",
           .value = "POLICY",
           .help = "in the background: no, on-failure[:N], always or unless-stopped",
           .fallback = "no"},
    Option{.name = "cidfile", .value = "FILE", .help = "write the ID into a new FILE"},
    Option{.name = "stop-signal",
           .value = "SIGNAL",
           .help = "what `stop` sends",
           .fallback = "the image's, else TERM"},
    Option{.name = "stop-timeout",
           .value = "SECONDS",
           .help = "how long `stop` waits until it kills",
           .fallback = "30"},
    Option{.name = "log-driver",
           .value = "DRIVER",
           .help = "in the background: k8s-file, journald (also the system's journal) or none",
           .fallback = "k8s-file"},
    Option{.name = "log-opt",
           .value = "NAME=VALUE",
           .help = "in the background: max-size=10m begins a new log file then, max-file=3 keeps "
                   "three; labels=NAME and env=NAME are shown by logs --details",
           .repeatable = true},
    Option{.name = "interactive",
           .letter = 'i',
           .help =
               "in the background: stdin stays open for who attaches; else it is always passed on"},
    Option{.name = "tty", .letter = 't', .help = "give the program a terminal, shown in yours"},
    Option{.name = "attach",
           .letter = 'a',
           .value = "STREAM",
           .help = "in the foreground: only these of stdin, stdout, stderr are yours; the others "
                   "are /dev/null",
           .repeatable = true},
    kDetachKeysOption,
    kSigProxyOption,
    Option{
        .name = "pull", .value = "WHEN", .help = "missing, always or never", .fallback = "missing"},
    Option{.name = "quiet", .letter = 'q', .help = "no progress of the pull"},
    kPlatformOption,
    kTlsCaOption,
    kPlainHttpOption,
    kAuthFileOption,
    kTlsVerifyOption,
    kCertDirOption,
    kHostsDirOption,
};

constexpr std::array kBoth{
    Option{.name = "detach",
           .letter = 'd',
           .help = "leave when the program runs; of an image, print the container's ID"},
    kIsolationOption,
};

constexpr auto kAll = [] {
    std::array<Option,
               kImageOnly.size() + kHealthOptions.size() + kSettingOptions.size() +
                   kResourceOptions.size() + kBoth.size() + kBundleOnly.size()>
        all{};
    auto next = std::copy(kImageOnly.begin(), kImageOnly.end(), all.begin());
    next = std::copy(kHealthOptions.begin(), kHealthOptions.end(), next);
    next = std::copy(kSettingOptions.begin(), kSettingOptions.end(), next);
    next = std::copy(kResourceOptions.begin(), kResourceOptions.end(), next);
    next = std::copy(kBoth.begin(), kBoth.end(), next);
    std::copy(kBundleOnly.begin(), kBundleOnly.end(), next);
    return all;
}();

constexpr std::array kPlanOnly{
    Option{.name = "json", .help = "print JSON"},
    Option{.name = "id",
           .value = "ID",
           .help = "of the container, where it is not named",
           .fallback = "plan"},
};
constexpr auto kOfPlan = [] {
    std::array<Option, kPlanOnly.size() + kAll.size()> all{};
    const auto next = std::copy(kPlanOnly.begin(), kPlanOnly.end(), all.begin());
    std::copy(kAll.begin(), kAll.end(), next);
    return all;
}();

constexpr bool is_of_create(const Option& option) {
    return option.name != "detach" && option.name != "keep" && option.name != "detach-keys" &&
           option.name != "sig-proxy";
}
constexpr auto kOfCreate = [] {
    std::array<Option, kAll.size() - 4> some{};
    std::copy_if(kAll.begin(), kAll.end(), some.begin(), is_of_create);
    return some;
}();

template <std::size_t N>
std::string_view first_given(const Parsed& args, const std::array<Option, N>& options) {
    const auto at = std::find_if(
        options.begin(), options.end(), [&](const Option& o) { return args.has(o.name); });
    return at == options.end() ? std::string_view{} : at->name;
}

Result<std::optional<std::int64_t>> parse_memory(const Parsed& args) {
    const auto text = args.find("memory");
    if (!text) {
        return std::nullopt;
    }
    const std::int64_t bytes = KNARR_TRY(parse_size(*text, "--memory"));
    if (bytes == 0) {
        return fail(Errc::invalid_argument, "--memory 0 leaves nothing to run in");
    }
    return bytes;
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
constexpr std::uint64_t kLeastLogBytes = 4096, kMaxLogFiles = 1000;
/// What is kept beside the journal, of each of two files: for `logs`, and where it does not read.
constexpr std::uint64_t kJournaledLogBytes = std::uint64_t{16} << 20;

/// --log-opt NAME=VALUE, docker's names.
Result<> parse_log_option(std::string_view text, LogPolicy& log) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1);
    if (name == "max-size") {
        const std::int64_t bytes =
            value == "-1" ? 0 : KNARR_TRY(parse_size(value, "--log-opt max-size"));
        if (value != "-1" && bytes < static_cast<std::int64_t>(kLeastLogBytes)) {
            return fail(Errc::invalid_argument,
                        "--log-opt max-size {} is below {} bytes",
                        printable(value),
                        kLeastLogBytes);
        }
        log.max_bytes = static_cast<std::uint64_t>(bytes);
        return {};
    }
    if (name == "max-file") {
        const auto files = parse_number(value, kMaxLogFiles);
        if (!files || *files == 0) {
            return fail(Errc::invalid_argument,
                        "--log-opt max-file \"{}\" is not a number from 1 to {}",
                        printable(value),
                        kMaxLogFiles);
        }
        log.max_files = static_cast<unsigned>(*files);
        return {};
    }
    if (name == "labels" || name == "env") {
        std::vector<std::string>& names = name == "env" ? log.variables : log.labels;
        for (const std::string_view one : split(value, ',')) {
            if (one.empty()) {
                return fail(Errc::invalid_argument,
                            "--log-opt {} \"{}\" is not a list of names",
                            name,
                            printable(value));
            }
            names.emplace_back(one);
        }
        return {};
    }
    return fail(Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--log-opt {} is not known", printable(text)),
                      .hint = "max-size=SIZE, max-file=N, labels=NAME,... and env=NAME,... are"});
}

Result<LogPolicy> parse_log(const Parsed& args) {
    LogPolicy log;
    const std::string_view driver = args.get("log-driver", "k8s-file");
    if (driver == "none") {
        log.keep = false;
    } else if (driver == "journald") {
        log.journal = true;
        log.max_bytes = kJournaledLogBytes;
        log.max_files = 2;
    } else if (driver != "k8s-file" && driver != "json-file" && driver != "file") {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("--log-driver {} is not built", printable(driver)),
            .hint = "k8s-file (also by the names json-file and file), journald and none are"});
    }
    for (const std::string_view option : args.all("log-opt")) {
        KNARR_TRY(parse_log_option(option, log));
    }
    if (log.max_files > 1 && log.max_bytes == 0) {
        return fail(Errc::invalid_argument, "--log-opt max-file needs max-size");
    }
    return log;
}

Result<> parse_restart(const Parsed& args, RunKind kind, RunRequest& request) {
    request.restart = KNARR_TRY(parse_restart_policy(args.get("restart")), "--restart");
    if (request.restart.mode == RestartMode::no) {
        return {};
    }
    if (args.flag("rm")) {
        return fail(Errc::invalid_argument,
                    "--rm and --restart contradict each other: one removes what the other starts "
                    "again");
    }
    if (kind == RunKind::run && !args.flag("detach") && !args.flag("tty")) {
        return fail(
            Error{.code = Errc::unsupported,
                  .message = "--restart needs --detach or --tty: nobody watches a container in the "
                             "foreground once this knarr has ended",
                  .hint = "knarr run -d --restart ... and knarr logs -f"});
    }
    return {};
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
    if (const auto seconds = KNARR_TRY(args.number("stop-timeout", kMaxStopSeconds))) {
        request.stop_seconds = static_cast<unsigned>(*seconds);
    }
    request.log = KNARR_TRY(parse_log(args));
    KNARR_TRY(parse_restart(args, kind, request));
    KNARR_TRY(parse_streams(args, kind, request));
    const bool background = kind == RunKind::create || args.flag("detach") || args.flag("tty");
    request.health = KNARR_TRY(parse_health(args, background));
    return {};
}

}  // namespace

std::span<const Option> run_options() {
    return kAll;
}

std::span<const Option> plan_options() {
    return kOfPlan;
}

std::span<const Option> create_options() {
    return kOfCreate;
}

Result<std::vector<std::string>> parse_env(const Parsed& args) {
    std::vector<std::string> env;
    for (const std::string_view setting : args.all("env")) {
        if (setting.empty() || setting.front() == '=') {
            return fail(
                Errc::invalid_argument, "--env \"{}\" is not NAME=VALUE", printable(setting));
        }
        if (setting.find('=') != std::string_view::npos) {
            env.emplace_back(setting);
        } else if (const char* own = std::getenv(std::string(setting).c_str())) {
            env.push_back(fmt::format("{}={}", setting, own));
        }
    }
    return env;
}

Result<RunWay> which_run(const Parsed& args, Here here) {
    const std::string_view of_bundle = first_given(args, kBundleOnly);
    std::string_view of_image = first_given(args, kImageOnly);
    of_image = of_image.empty() ? first_given(args, kHealthOptions) : of_image;
    of_image = of_image.empty() ? first_given(args, kSettingOptions) : of_image;
    of_image = of_image.empty() ? first_given(args, kResourceOptions) : of_image;
    if (!of_bundle.empty() && !of_image.empty()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format(
                              "--{} belongs to a bundle, --{} to an image", of_bundle, of_image),
                          .hint = "knarr run --help says which options belong together"});
    }
    if (!of_bundle.empty()) {
        return RunWay::bundle;
    }
    const bool as_runc = of_image.empty() && args.positionals.size() == 1;
    return as_runc && here != Here::no_bundle ? RunWay::bundle : RunWay::image;
}

bool names_bundle(std::string_view word) {
    return word == "-b" || word == "--bundle" || word.starts_with("--bundle=");
}

Here look_for_bundle(const std::string& directory) {
    const auto text = sys::read_file(directory + "/config.json", limits::kMaxBundleConfigBytes);
    if (text && text->find("\"ociVersion\"") != std::string::npos) {
        return Here::bundle;
    }
    // Programs of all sorts have a config.json.
    const bool is_there = text || !sys::is_absent(text.error());
    return is_there && sys::open_path(directory + "/rootfs", O_PATH | O_DIRECTORY)
               ? Here::broken_bundle
               : Here::no_bundle;
}

Here look_here() {
    return look_for_bundle(".");
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

Result<std::uint32_t> parse_timeout(const Parsed& args) {
    const auto time = args.find("timeout");
    if (!time) {
        return 0;
    }
    const auto given = std::chrono::ceil<std::chrono::seconds>(
        KNARR_TRY(parse_duration(*time, "--timeout", kMaxTimeout)));
    if (given.count() == 0) {
        return fail(Errc::invalid_argument,
                    "--timeout {}: it is not between a second and {}h",
                    printable(*time),
                    kMaxTimeout.count());
    }
    return static_cast<std::uint32_t>(given.count());
}

Result<PullOptions> parse_pull_options(const Parsed& args) {
    PullOptions options;
    options.platform = args.get("platform");
    options.tls_ca_file = args.get("tls-ca");
    options.plain_http = args.flag("plain-http");
    options.auth_file = args.get("authfile");
    options.tls_verify = !args.has("tls-verify") || args.flag("tls-verify");
    options.cert_dir = args.get("cert-dir");
    options.hosts_dir = args.get("hosts-dir");
    options.timeout_seconds = KNARR_TRY(parse_timeout(args));
    return options;
}

namespace {

Result<> parse_volumes(const Parsed& args, ParsedRun& out) {
    for (const std::string_view text : args.all("volumes-from")) {
        out.request.volumes_from.emplace_back(text);
    }
    for (const std::string_view text : args.all("volume")) {
        ParsedVolume parsed = KNARR_TRY(parse_volume(text));
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
        if (!entrypoint->empty()) {
            request.entrypoint->emplace_back(*entrypoint);
        }
    }
    request.env = KNARR_TRY(parse_whole_env(args));
    request.workdir = args.get("workdir");
    request.user = args.get("user");
    request.hostname = args.get("hostname");
    request.name = args.get("name");
    KNARR_TRY(parse_volumes(args, out));
    request.terminal = args.flag("tty");
    request.read_only = args.flag("read-only");
    request.read_only_scratch = args.get("read-only-tmpfs", "true") == "true";
    request.remove = args.flag("rm");
    request.memory_bytes = KNARR_TRY(parse_memory(args));
    if (const auto cpus = args.find("cpus")) {
        request.cpu_quota_us = KNARR_TRY(parse_cpus(*cpus));
    }
    request.pids_limit = KNARR_TRY(parse_pids(args));
    request.network = KNARR_TRY(parse_network(args.get("network", args.get("net", "none"))));
    request.isolation = KNARR_TRY(parse_isolation(args.get("isolation", "native")));
    request.pull = KNARR_TRY(parse_pull_policy(args.get("pull", "missing")));
    request.pull_options = KNARR_TRY(parse_pull_options(args));
    request.service = KNARR_TRY(service_links());
    KNARR_TRY(parse_stop_and_log(args, kind, request));
    KNARR_TRY(parse_settings(args, request, out.warnings));
    return out;
}

}  // namespace knarr::cli
