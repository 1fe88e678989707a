#pragma once
// The JSON that registries and token servers answer with.

#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::registry {

/// The bearer token of a token server's answer: "token", or "access_token" as OAuth2 calls it.
/// Errors: registry_failed when there is none. Source: distribution's token.md, oauth.md.
Result<std::string> decode_token(std::string_view json);

/// What an error answer says, for people: "DENIED: requested access is denied"; empty when it is
/// not in the form of distribution-spec "Error Codes".
std::string decode_error_text(std::string_view json);

}  // namespace knarr::registry
