#pragma once
// `knarr run` is two things: runc's run of a bundle and podman's run of an image.

#include <array>
#include <span>
#include <string>
#include <vector>

#include "cli/verb.h"
#include "knarr/run.h"

namespace knarr::cli {

/// All options of `run`: those of a bundle, those of an image, those of both.
std::span<const Option> run_options();

/// Those of `plan`: the same, and its own.
std::span<const Option> plan_options();

/// Those of `create`: the same without what is about being in front of the caller.
std::span<const Option> create_options();

enum class RunWay : std::uint8_t { bundle, image };

/// What the current directory is, by its config.json.
enum class Here : std::uint8_t {
    no_bundle,      ///< it has none, or that of something else
    bundle,         ///< it has an ociVersion
    broken_bundle,  ///< it has none, or cannot be read; but a root file system lies beside it
};

/// Which of the two a command line means:
/// --bundle is given, or another option that only bundles have: the bundle;
/// else exactly one positional, no option that only images have, and the current directory is a
/// bundle, also a broken one: the bundle, as with runc, and an error about its config.json;
/// else the image.
/// Errors: invalid_argument for options of both sorts.
Result<RunWay> which_run(const Parsed& args, Here here);
/// Whether a word of the command line is -b or --bundle: crun takes it behind the ID, too.
bool names_bundle(std::string_view word);

Here look_here();
/// The same of another directory.
Here look_for_bundle(const std::string& directory);

/// --env as "NAME=value"; NAME alone takes the caller's own value, and is left out without one.
Result<std::vector<std::string>> parse_env(const Parsed& args);

struct ParsedRun {
    RunRequest request;
    std::vector<std::string> warnings;
};
enum class RunKind : std::uint8_t { run, create };
/// Errors: invalid_argument, unsupported, each naming the option.
Result<ParsedRun> parse_run(const Parsed& args, RunKind kind = RunKind::run);

/// "1.5" CPUs as microseconds of each 100 ms. Errors: invalid_argument below 0.01, above 8192 or
/// malformed.
Result<std::int64_t> parse_cpus(std::string_view text);

/// The options of pulling an image, which run and pull share.
Result<PullOptions> parse_pull_options(const Parsed& args);
/// --timeout in seconds; 0 where it is not given.
Result<std::uint32_t> parse_timeout(const Parsed& args);

inline constexpr Option kPlatformOption{.name = "platform",
                                        .value = "OS/ARCH",
                                        .help = "which variant of a multi-platform image",
                                        .fallback = "this host's"};
inline constexpr Option kTlsCaOption{
    .name = "tls-ca", .value = "FILE", .help = "PEM certificates to trust besides the system's"};
inline constexpr Option kPlainHttpOption{.name = "plain-http",
                                         .help = "talk to a registry on this host without TLS"};
inline constexpr Option kAuthFileOption{.name = "authfile",
                                        .value = "FILE",
                                        .help = "credentials for registries",
                                        .fallback = "auth.json, then docker's config.json"};

inline constexpr Option kTlsVerifyOption{
    .name = "tls-verify",
    .help = "=false: take any certificate, and go without TLS where there is none",
    .fallback = "true"};
inline constexpr Option kCertDirOption{
    .name = "cert-dir",
    .value = "DIR",
    .help = "*.crt to trust, *.cert and *.key to show",
    .fallback = "certs.d/HOST of /etc/containers and /etc/docker"};
inline constexpr Option kHostsDirOption{.name = "hosts-dir",
                                        .value = "DIR",
                                        .help = "where HOST/hosts.toml says where to ask",
                                        .fallback = "/etc/containerd/certs.d"};
inline constexpr Option kTimeoutOption{.name = "timeout",
                                       .value = "TIME",
                                       .help = "give up after so long, as in 90s or 10m",
                                       .fallback = "24h; 300s without progress"};

/// The same of what asks no registry.
inline constexpr Option kArchiveTimeoutOption{.name = "timeout",
                                              .value = "TIME",
                                              .help = "give up after so long, as in 90s or 10m",
                                              .fallback = "24h"};

/// How to speak with registries, after the options of a verb's own.
template <std::size_t N>
constexpr auto with_registry_options(const std::array<Option, N>& own) {
    constexpr std::array kShared{kTlsVerifyOption,
                                 kTlsCaOption,
                                 kCertDirOption,
                                 kPlainHttpOption,
                                 kHostsDirOption,
                                 kAuthFileOption,
                                 kTimeoutOption};
    std::array<Option, N + kShared.size()> all{};
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = i < N ? own[i] : kShared[i - N];
    }
    return all;
}

}  // namespace knarr::cli
