#pragma once
// Logins for registries, where podman, skopeo and docker keep them.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/reference.h"
#include "knarr/result.h"
#include "spec/registry.h"

namespace knarr::image {

inline constexpr std::size_t kMaxAuthFileBytes = std::size_t{1024} * 1024;

/// Empty: an anonymous pull.
using Credentials = spec::RegistryAuth;

/// The files to look into, first match wins: `auth_file` alone when it is given, else
/// $REGISTRY_AUTH_FILE alone when it is set, else $DOCKER_CONFIG/config.json where that is set,
/// $XDG_RUNTIME_DIR/containers/auth.json (or /run/containers/UID/auth.json),
/// ~/.config/containers/auth.json, and without $DOCKER_CONFIG ~/.docker/config.json. Source:
/// containers-auth.json(5), docker's "config.json".
struct AuthFile {
    std::string path;
    bool must_exist = false;
};
std::vector<AuthFile> auth_files(std::string_view auth_file);

/// What a file says about an image's login: it has it, or a helper program does.
struct FoundLogin {
    std::optional<Credentials> credentials = {};
    std::string helper = {};   ///< docker-credential-NAME to be asked; empty: none
    std::string server = {};   ///< what the helper calls the registry
    bool is_expected = false;  ///< the file names this registry: a helper must be there
};

/// What `json` (of the file `path`) has for this image: the entry of the longest prefix of
/// "domain/repository", as podman does it, then of the domain; a helper named for it comes first,
/// the one that keeps all logins last.
/// Errors: invalid_argument for a malformed file.
Result<FoundLogin> find_credentials(std::string_view json,
                                    const std::string& path,
                                    const Reference& reference);

/// How long a helper may take: some of them ask a person for a passphrase.
inline constexpr std::chrono::seconds kHelperPatience{120};

/// Looks through the files and asks helpers. Nothing when there is no login. Errors: also when
/// `auth_file` or $REGISTRY_AUTH_FILE cannot be read, or a helper fails.
Result<Credentials> load_credentials(const Reference& reference,
                                     std::string_view auth_file,
                                     std::chrono::seconds helper_patience = kHelperPatience);

/// The names under which a login for a registry, or a repository in it, may be kept, the most
/// special first.
std::vector<std::string> login_keys(const Reference& reference);

/// A reference that stands for a registry, or a path in one: "r.io", "r.io/team".
/// Errors: invalid_argument for what is neither.
Result<Reference> login_place(std::string_view registry);

/// The name whose login is for a repository at `host`, which a mirror may be. Nothing for a host of
/// one word: that would be read as the beginning of a name on Docker Hub, whose login is not for
/// it.
std::optional<Reference> place_at(std::string_view host, std::string_view repository);

/// docker's name for the Hub in its config.json.
inline constexpr std::string_view kHubKey = "https://index.docker.io/v1/";

}  // namespace knarr::image
