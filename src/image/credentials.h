#pragma once
// Logins for registries, where podman, skopeo and docker keep them.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/reference.h"
#include "knarr/result.h"

namespace knarr::image {

/// Empty: an anonymous pull.
struct Credentials {
    std::string username, password;
    std::string identity_token;  ///< OAuth2 refresh token, instead of a password
};

/// The files to look into, first match wins: `auth_file` alone when it is given, else
/// $REGISTRY_AUTH_FILE alone when it is set, else $XDG_RUNTIME_DIR/containers/auth.json (or
/// /run/containers/UID/auth.json), ~/.config/containers/auth.json, $DOCKER_CONFIG/config.json (or
/// ~/.docker/config.json). Source: containers-auth.json(5), docker's "config.json".
struct AuthFile {
    std::string path;
    bool must_exist = false;
};
std::vector<AuthFile> auth_files(std::string_view auth_file);

/// What `json` (of the file `path`) has for this image: the entry of the longest prefix of
/// "domain/repository", as podman does it, then of the domain. Nothing when there is none.
/// Errors: invalid_argument for a malformed file; unsupported, naming the program, when a
/// credential helper would have to be asked.
Result<std::optional<Credentials>> find_credentials(std::string_view json,
                                                    const std::string& path,
                                                    const Reference& reference);

/// Looks through the files. Errors: also when `auth_file` or $REGISTRY_AUTH_FILE cannot be read.
Result<Credentials> load_credentials(const Reference& reference, std::string_view auth_file);

}  // namespace knarr::image
