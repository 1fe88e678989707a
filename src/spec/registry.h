#pragma once
// What registries answer besides manifests, and the files that hold credentials for them. Errors
// of these decoders never show a value of the document: it may be a secret.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::spec {

/// One page of a list of tags, which has no bound of its own.
inline constexpr std::size_t kMaxTagListBytes = std::size_t{8} * 1024 * 1024;

struct Token {
    std::string text;
    std::int64_t expires_in = 60;  // seconds; 60 is what the specification says without one
};

/// Decodes the answer of a token server ("token", or OAuth 2's "access_token").
/// Errors: registry_failed. Source: distribution auth/token.md.
Result<Token> decode_token(std::string_view json);

struct RegistryError {
    std::string code;     // "MANIFEST_UNKNOWN"; may be empty
    std::string message;  // for people; not checked for control characters
    std::string detail;   // only when it is a text
};

/// Decodes the body of a failed request. Nothing when it is no such body (HTML from a proxy, an
/// empty one): an error about an error helps nobody.
/// Source: distribution-spec v1.1 "Error Codes"; "error" and "error_description" of RFC 6749.
std::vector<RegistryError> decode_registry_errors(std::string_view body);

struct RegistryAuth {
    std::string username, password;
    std::string identity_token;  // an OAuth 2 refresh token, instead of a password
};

/// docker's config.json and podman's auth.json.
struct CredentialsFile {
    std::map<std::string, RegistryAuth> auths;        // by "registry", "registry/path" or URL
    std::map<std::string, std::string> cred_helpers;  // registry -> helper's name
    std::string creds_store;                          // the helper for all others; may be empty
};

/// `json` with the login for `registry` put in, or taken out when there is none; everything else
/// stays, in its order. An empty text is a file yet to come. Errors: as of decode_credentials.
Result<std::string> edit_credentials(std::string_view json,
                                     std::string_view registry,
                                     const RegistryAuth* login);

/// What a credential helper says of a login: "Username" and "Secret". The user name "<token>"
/// marks an identity token. Errors: invalid_argument.
/// Source: docker-credential-helpers, "get".
Result<RegistryAuth> decode_helper_login(std::string_view json);
/// The same for the helper's "store".
std::string encode_helper_login(std::string_view server, const RegistryAuth& login);

/// Source: RFC 4648 section 4.
std::string encode_base64(std::string_view bytes);

/// A list of tags, {"name": ..., "tags": [...]}; null stands for none. Errors: registry_failed.
Result<std::vector<std::string>> decode_tags(std::string_view json);

/// Errors: invalid_argument with the JSON path. An entry whose "auth" is not the base64 of
/// "user:password" is refused.
Result<CredentialsFile> decode_credentials(std::string_view json);

}  // namespace knarr::spec
