#include "cli/run_way.h"

#include <algorithm>
#include <array>

#include <fcntl.h>

#include "cli/attach_options.h"
#include "cli/containers.h"
#include "cli/health_options.h"
#include "cli/pull_options.h"
#include "cli/resource_options.h"
#include "cli/setting_options.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/absent.h"
#include "platform/file.h"

namespace knarr::cli {

namespace {

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
    Option{.name = "name",
           .value = "NAME",
           .help = "a name of your own, unique; without it two words that nobody has"},
    Option{.name = "replace", .help = "remove the container that has --name, by force"},
    Option{.name = "env",
           .letter = 'e',
           .value = "NAME=VALUE",
           .help = "set a variable; NAME alone takes your own value, NAME* all that begin so",
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
    Option{.name = "volume-driver",
           .value = "NAME",
           .help = "docker's; local is the only one",
           .fallback = "local"},
    Option{.name = "runtime",
           .value = "NAME",
           .help = "docker's; knarr, runc, crun and io.containerd.runc.v2 are the native wall"},
    Option{.name = "entrypoint",
           .value = "PROGRAM",
           .help = "instead of the image's Entrypoint and Cmd; \"\" for none; or [\"A\",\"B\"]"},
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
           .help = "no, on-failure[:N], always or unless-stopped",
           .fallback = "no"},
    Option{.name = "cidfile", .value = "FILE", .help = "write the ID into a new FILE"},
    Option{.name = "stop-signal",
           .value = "SIGNAL",
           .help = "what `stop` sends",
           .fallback = "the image's, else TERM"},
    Option{.name = "stop-timeout",
           .value = "SECONDS",
           .help = "how long `stop` waits until it kills; -1: for ever",
           .fallback = "30"},
    Option{.name = "log-driver",
           .value = "DRIVER",
           .help = "k8s-file (also json-file and file), local (the same, five of 20 MiB), "
                   "journald (also the system's journal) or none",
           .fallback = "k8s-file"},
    Option{.name = "log-opt",
           .value = "NAME=VALUE",
           .help = "max-size=10m begins a new log file then, max-file=3 keeps "
                   "three; labels=NAME and env=NAME are shown by logs --details",
           .repeatable = true},
    Option{.name = "interactive",
           .letter = 'i',
           .help = "pass stdin on; in the background it stays open for who attaches"},
    Option{.name = "tty", .letter = 't', .help = "give the program a terminal, shown in yours"},
    Option{.name = "attach",
           .letter = 'a',
           .value = "STREAM",
           .help = "in the foreground: only these of stdin, stdout, stderr are yours; the rest "
                   "of the output is in the log",
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

int status_of_neither(const Parsed& args) {
    return args.has("bundle") ? 0 : kOwnFailure;
}

Result<RunWay> which_run_here(Context& context, const Parsed& args) {
    Result<RunWay> way = which_run(args, look_here());
    if (!way) {
        context.failure_status = status_of_neither(args);
    }
    return way;
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

}  // namespace knarr::cli
