#pragma once
// Programs that keep logins: docker-credential-NAME, in our PATH. They are run by knarr itself, as
// the caller, never by knarr-pull.
// Source: github.com/docker/docker-credential-helpers, "Development".

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "image/credentials.h"
#include "knarr/result.h"

namespace knarr::image {

/// Whether there is such a program.
bool has_helper(const std::string& name);

/// The login that the helper keeps for `server`; nothing when it has none.
/// Errors: unsupported when there is no such program; timed_out; unauthorized with what it said.
Result<std::optional<Credentials>> ask_helper(const std::string& name,
                                              const std::string& server,
                                              std::chrono::seconds patience = kHelperPatience);
Result<> store_in_helper(const std::string& name,
                         const std::string& server,
                         const Credentials& login);
/// Whether there was one.
Result<bool> erase_from_helper(const std::string& name, const std::string& server);
/// Servers and their user names.
Result<std::map<std::string, std::string>> list_helper(const std::string& name);

}  // namespace knarr::image
