#include "spec/registry.h"

#include <algorithm>
#include <optional>

#include "core/ascii.h"
#include "spec/json_copy.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::spec {

namespace {

JsonSource secret_source(std::string_view name, Errc failure) {
    return {.name = name,
            .failure = failure,
            .max_bytes = limits::kMaxHttpBodyBytes,
            .values = JsonValues::secret};
}

/// The bytes that `text` stands for; nothing when it is not base64. Padding may be missing, as
/// some tools leave it out. Source: RFC 4648 section 4.
std::optional<std::string> decode_base64(std::string_view text) {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
        text.remove_suffix(1);
    }
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }
    std::string out;
    std::uint32_t bits = 0;
    int pending = 0;
    for (const char c : text) {
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6) | static_cast<std::uint32_t>(digit);
        pending += 6;
        if (pending >= 8) {
            pending -= 8;
            out += static_cast<char>((bits >> pending) & 0xff);
        }
    }
    return out;
}

constexpr std::string_view kTokenUser = "<token>";

bool is_helper_name(std::string_view name) {
    return !name.empty() && name.front() != '-' && name.front() != '.' &&
           std::ranges::all_of(
               name, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

std::string text_of(const JsonValue& object, std::string_view name) {
    const std::optional<JsonValue> member = object.find(name);
    return member ? std::string(member->string().value_or("")) : std::string();
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
    static constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::string_view group = bytes.substr(i, 3);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits = bits << 8 | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            result.push_back(k <= group.size() ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=');
        }
    }
    return result;
}

Result<Token> decode_token(std::string_view json) {
    const JsonDocument document =
        KNARR_TRY(JsonDocument::parse(json, secret_source("token", Errc::registry_failed)));
    const JsonValue root = document.root();
    Token token;
    KNARR_TRY(root.optional("token", token.text));
    if (token.text.empty()) {
        KNARR_TRY(root.optional("access_token", token.text));
    }
    if (token.text.empty()) {
        return fail(root.error_at("token", "is missing"));
    }
    if (token.text.find_first_of("\r\n") != std::string::npos) {
        return fail(root.error_at("token", "has a line break, which a header cannot carry"));
    }
    KNARR_TRY(root.optional("expires_in", token.expires_in));
    return token;
}

std::vector<RegistryError> decode_registry_errors(std::string_view body) {
    const auto document = JsonDocument::parse(body, secret_source("error", Errc::registry_failed));
    std::vector<RegistryError> out;
    if (!document) {
        return out;
    }
    const JsonValue root = document->root();
    if (const std::optional<JsonValue> errors = root.find("errors")) {
        for (const auto& child : errors->children()) {
            out.push_back({.code = text_of(child.value, "code"),
                           .message = text_of(child.value, "message"),
                           .detail = text_of(child.value, "detail")});
        }
    }
    if (out.empty() && root.find("error")) {
        out.push_back({.code = text_of(root, "error"),
                       .message = text_of(root, "error_description"),
                       .detail = {}});
    }
    return out;
}

namespace {

Result<RegistryAuth> read_auth(const JsonValue& value) {
    RegistryAuth out;
    std::string encoded;
    KNARR_TRY(value.optional("username", out.username));
    KNARR_TRY(value.optional("password", out.password));
    KNARR_TRY(value.optional("identitytoken", out.identity_token));
    KNARR_TRY(value.optional("auth", encoded));
    if (!encoded.empty()) {
        std::optional<std::string> decoded = decode_base64(encoded);
        const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
        if (colon == std::string::npos) {
            return fail(value.error_at("auth", "is not the base64 of user:password"));
        }
        out.username = decoded->substr(0, colon);
        out.password = decoded->substr(colon + 1);
        while (out.password.ends_with('\0')) {  // docker strips these too
            out.password.pop_back();
        }
    }
    for (const std::string* text : {&out.username, &out.password, &out.identity_token}) {
        if (text->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
            return fail(value.error("has a line break or NUL in a name or password"));
        }
    }
    return out;
}

}  // namespace

Result<CredentialsFile> decode_credentials(std::string_view json) {
    const JsonDocument document =
        KNARR_TRY(JsonDocument::parse(json, secret_source("credentials", Errc::invalid_argument)));
    const JsonValue root = document.root();
    KNARR_TRY(root.expect(JsonKind::object));
    CredentialsFile out;
    if (const std::optional<JsonValue> auths = root.find("auths")) {
        KNARR_TRY(auths->expect(JsonKind::object));
        for (const auto& child : auths->children()) {
            if (!child.value.is_null()) {
                out.auths[std::string(child.name)] = KNARR_TRY(read_auth(child.value));
            }
        }
    }
    KNARR_TRY(root.optional("credHelpers", out.cred_helpers));
    KNARR_TRY(root.optional("credsStore", out.creds_store));
    // They become part of a program's name, docker-credential-NAME.
    for (const auto& [registry, helper] : out.cred_helpers) {
        if (!is_helper_name(helper)) {
            return fail(root.error_at("credHelpers",
                                      "a helper's name has more than letters, "
                                      "digits, '.', '_' and '-'"));
        }
    }
    if (!out.creds_store.empty() && !is_helper_name(out.creds_store)) {
        return fail(root.error_at("credsStore", "has more than letters, digits, '.', '_' and '-'"));
    }
    return out;
}

namespace {

void write_login(JsonWriter& json, const RegistryAuth& login) {
    json.begin_object();
    if (login.identity_token.empty()) {
        json.member("auth", encode_base64(login.username + ":" + login.password));
    } else {
        json.member("auth", encode_base64(std::string(kTokenUser) + ":"));
        json.member("identitytoken", login.identity_token);
    }
    json.end_object();
}

/// The object "auths" with the one entry changed.
Result<> write_auths(JsonWriter& json,
                     const std::optional<JsonValue>& before,
                     std::string_view registry,
                     const RegistryAuth* login) {
    json.key("auths").begin_object();
    if (before) {
        for (const auto& [name, member] : before->children()) {
            if (name != registry) {
                json.key(name);
                KNARR_TRY(copy_value(member, json));
            }
        }
    }
    if (login != nullptr) {
        json.key(registry);
        write_login(json, *login);
    }
    json.end_object();
    return {};
}

}  // namespace

Result<std::string> edit_credentials(std::string_view json,
                                     std::string_view registry,
                                     const RegistryAuth* login) {
    JsonWriter out(JsonLayout::indented);
    out.begin_object();
    if (json.empty()) {
        KNARR_TRY(write_auths(out, std::nullopt, registry, login));
        return std::move(out.end_object()).text() + "\n";
    }
    KNARR_TRY(decode_credentials(json));  // what we cannot read we do not rewrite
    const JsonDocument document =
        KNARR_TRY(JsonDocument::parse(json, secret_source("credentials", Errc::invalid_argument)));
    bool written = false;
    for (const auto& [name, member] : document.root().children()) {
        if (name == "auths") {
            KNARR_TRY(write_auths(out, member, registry, login));
            written = true;
            continue;
        }
        out.key(name);
        KNARR_TRY(copy_value(member, out));
    }
    if (!written) {
        KNARR_TRY(write_auths(out, std::nullopt, registry, login));
    }
    return std::move(out.end_object()).text() + "\n";
}

Result<RegistryAuth> decode_helper_login(std::string_view json) {
    const JsonDocument document = KNARR_TRY(
        JsonDocument::parse(json, secret_source("credential helper", Errc::invalid_argument)));
    std::string username, secret;
    KNARR_TRY(document.root().required("Username", username));
    KNARR_TRY(document.root().required("Secret", secret));
    for (const std::string* text : {&username, &secret}) {
        if (text->find_first_of("\r\n") != std::string::npos) {
            return fail(document.root().error("has a line break in a name or secret"));
        }
    }
    if (username == kTokenUser) {
        return RegistryAuth{.username = {}, .password = {}, .identity_token = std::move(secret)};
    }
    return RegistryAuth{
        .username = std::move(username), .password = std::move(secret), .identity_token = {}};
}

std::string encode_helper_login(std::string_view server, const RegistryAuth& login) {
    const bool token = !login.identity_token.empty();
    JsonWriter json;
    json.begin_object().member("ServerURL", server);
    json.member("Username", token ? kTokenUser : std::string_view(login.username));
    json.member("Secret", token ? login.identity_token : login.password);
    json.end_object();
    return std::move(json).text();
}

Result<std::vector<std::string>> decode_tags(std::string_view json) {
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(
        json,
        {.name = "list of tags", .failure = Errc::registry_failed, .max_bytes = kMaxTagListBytes}));
    std::vector<std::string> tags;
    KNARR_TRY(document.root().optional("tags", tags));
    return tags;
}

}  // namespace knarr::spec
