#pragma once
// hosts.toml: where containerd asks for the images of one registry.
// Source: containerd docs/hosts.md.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knarr/result.h"

namespace knarr::image {

struct HostEntry {
    std::string registry;     ///< host[:port]
    std::string api = "/v2";  ///< what stands before repositories
    bool plain_http = false, skip_verify = false;
    bool can_pull = true, can_resolve = true;
    bool is_default = false;               ///< the file names no server
    std::vector<std::string> authorities;  ///< files; relative ones to hosts.toml
    std::vector<std::pair<std::string, std::string>>
        clients;  ///< certificate and key, or both in one
    /// "Name: value", to be sent to this host and to nobody else; they may be secret.
    std::vector<std::string> headers;
};

/// The hosts in their order, the server last: the one of the file, else `default_host`.
/// Errors: invalid_argument with the file and the line; unsupported for headers that are knarr's
/// own business; limit_exceeded for more of them than go to knarr-pull.
Result<std::vector<HostEntry>> parse_hosts(std::string_view text,
                                           const std::string& path,
                                           const std::string& default_host);

}  // namespace knarr::image
