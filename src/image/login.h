#pragma once
// login and logout: credentials tried at the registry, and where they are kept.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/credentials.h"
#include "knarr/image.h"
#include "knarr/result.h"

namespace knarr::image {

/// The file that login writes and logout clears: `auth_file`, $REGISTRY_AUTH_FILE, or podman's of
/// this user; see auth_files().
std::string login_file(std::string_view auth_file);

/// Asks the registry whether it takes the credentials, and keeps them when it does: with the helper
/// that the file names for it, else in the file, 0600, the other entries as they are.
/// Errors: unauthorized, and nothing is written.
Result<LoginReport> log_in(const LoginRequest& request);

/// Forgets the login of one registry, where login_file() keeps it; there is none: an empty place.
/// Errors: not_found where another file has one.
Result<LoginReport> log_out(const std::string& registry, std::string_view auth_file);
/// Forgets all logins of that file and of its helpers; the registries.
Result<std::vector<std::string>> log_out_everywhere(std::string_view auth_file);

/// The user name that a pull from there would give; nothing without a login.
Result<std::optional<std::string>> logged_in_user(const std::string& registry,
                                                  std::string_view auth_file);

}  // namespace knarr::image
