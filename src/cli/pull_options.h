#pragma once
// The options of what speaks with registries, and their values.

#include <array>

#include "cli/options.h"
#include "knarr/image.h"

namespace knarr::cli {

/// The options of pulling an image, which run and pull share.
Result<PullOptions> parse_pull_options(const Parsed& args);
/// --all-tags wants a repository. Errors: invalid_argument for a name with a tag or digest.
Result<> check_no_tag(std::string_view name);
/// --timeout in seconds; 0 where it is not given.
Result<std::chrono::seconds> parse_timeout(const Parsed& args);

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
