#include "image/credentials.h"

#include <cerrno>

#include <unistd.h>

#include "core/core.h"
#include "platform/file.h"
#include "platform/spawn.h"
#include "spec/json_reader.h"

namespace knarr::image {
namespace {

constexpr std::size_t kMaxAuthFileBytes = size::kMiB;
/// docker's name for the Hub in its config.json, and the user name that marks an identity token.
constexpr std::string_view kHubKey = "https://index.docker.io/v1/";
constexpr std::string_view kTokenUser = "<token>";

std::optional<unsigned> base64_value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return static_cast<unsigned>(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return static_cast<unsigned>(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0') + 52;
    }
    return c == '+' ? std::optional(62U) : c == '/' ? std::optional(63U) : std::nullopt;
}

std::optional<std::string> decode_base64(std::string_view text) {
    while (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    std::string bytes;
    unsigned bits = 0;
    int have = 0;
    for (const char c : text) {
        const auto value = base64_value(c);
        if (!value) {
            return std::nullopt;
        }
        bits = (bits << 6 | *value) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            bytes.push_back(static_cast<char>(bits >> have & 0xff));
        }
    }
    return bytes;
}

/// The names under which an image's login may be kept, most special first.
std::vector<std::string> keys_of(const Reference& reference) {
    std::vector<std::string> keys;
    std::string name = reference.name();
    while (name != reference.domain()) {
        keys.push_back(name);
        name.resize(name.rfind('/'));
    }
    keys.push_back(reference.domain());
    if (reference.domain() == kDefaultDomain) {
        keys.emplace_back(kHubKey);
        keys.emplace_back("index.docker.io");
        keys.emplace_back(kDefaultDomainHost);
    }
    for (const char* form :
         {"https://{}", "https://{}/", "http://{}", "https://{}/v1/", "https://{}/v2/"}) {
        keys.push_back(fmt::format(fmt::runtime(form), reference.domain()));
    }
    return keys;
}

Result<Credentials> decode_entry(const spec::JsonValue& entry) {
    Credentials found;
    std::string auth;
    KNARR_TRY(entry.optional("auth", auth));
    KNARR_TRY(entry.optional("identitytoken", found.identity_token));
    KNARR_TRY(entry.optional("username", found.username));
    KNARR_TRY(entry.optional("password", found.password));
    if (!auth.empty()) {
        const auto plain = decode_base64(auth);
        const std::size_t colon = plain ? plain->find(':') : std::string::npos;
        if (colon == std::string::npos) {
            return fail(entry.error_at("auth", "is not base64 of USER:PASSWORD"));
        }
        found.username = plain->substr(0, colon);
        found.password = plain->substr(colon + 1);
        while (found.password.ends_with('\0')) {
            found.password.pop_back();  // docker pads with them
        }
    }
    if (found.username == kTokenUser && found.identity_token.empty()) {
        found.identity_token = std::exchange(found.password, {});
        found.username.clear();
    }
    return found;
}

Error helper_needed(const std::string& path, const std::string& key, std::string_view helper) {
    return Error{
        .code = Errc::unsupported,
        .message = fmt::format("{}: the login for {} is kept by docker-credential-{}, which knarr "
                               "does not ask yet",
                               path,
                               key,
                               printable(helper, 64)),
        .hint = fmt::format("put a login into another file: skopeo login --authfile FILE {}, then "
                            "--authfile FILE",
                            key)};
}

}  // namespace

std::vector<AuthFile> auth_files(std::string_view auth_file) {
    if (!auth_file.empty()) {
        return {{.path = std::string(auth_file), .must_exist = true}};
    }
    if (std::string chosen = sys::environment("REGISTRY_AUTH_FILE"); !chosen.empty()) {
        return {{.path = std::move(chosen), .must_exist = true}};
    }
    std::vector<AuthFile> files;
    const std::string runtime = sys::environment("XDG_RUNTIME_DIR");
    files.push_back({.path = runtime.empty()
                                 ? fmt::format("/run/containers/{}/auth.json", geteuid())
                                 : runtime + "/containers/auth.json"});
    const std::string home = sys::environment("HOME"), config = sys::environment("XDG_CONFIG_HOME"),
                      docker = sys::environment("DOCKER_CONFIG");
    if (!config.empty() || !home.empty()) {
        files.push_back(
            {.path = (config.empty() ? home + "/.config" : config) + "/containers/auth.json"});
    }
    if (!docker.empty() || !home.empty()) {
        files.push_back({.path = (docker.empty() ? home + "/.docker" : docker) + "/config.json"});
    }
    return files;
}

Result<std::optional<Credentials>> find_credentials(std::string_view json,
                                                    const std::string& path,
                                                    const Reference& reference) {
    const spec::JsonDocument document = KNARR_TRY(spec::JsonDocument::parse(
        json, {.name = path, .failure = Errc::corrupt, .max_bytes = kMaxAuthFileBytes}));
    const spec::JsonValue root = document.root();
    KNARR_TRY(root.expect(spec::JsonKind::object));
    const auto helpers = root.find("credHelpers");
    const auto logins = root.find("auths");
    for (const std::string& key : keys_of(reference)) {
        if (const auto helper = helpers ? helpers->find(key) : std::nullopt) {
            return fail(helper_needed(path, key, helper->string().value_or("?")));
        }
        const auto entry = logins ? logins->find(key) : std::nullopt;
        if (!entry) {
            continue;
        }
        Credentials found = KNARR_TRY(decode_entry(*entry));
        if (!found.username.empty() || !found.identity_token.empty()) {
            return std::optional(std::move(found));
        }
        // docker leaves an empty entry behind for a login that its store keeps.
        std::string store;
        KNARR_TRY(root.optional("credsStore", store));
        if (!store.empty()) {
            return fail(helper_needed(path, key, store));
        }
    }
    return std::optional<Credentials>();
}

Result<Credentials> load_credentials(const Reference& reference, std::string_view auth_file) {
    for (const AuthFile& file : auth_files(auth_file)) {
        auto text = sys::read_file(file.path, kMaxAuthFileBytes);
        if (!text) {
            if (file.must_exist ||
                (text.error().sys_errno != ENOENT && text.error().sys_errno != ENOTDIR)) {
                return fail(std::move(text).error().within("read the logins"));
            }
            continue;
        }
        auto found = KNARR_TRY(find_credentials(*text, file.path, reference));
        if (found) {
            return *std::move(found);
        }
    }
    return Credentials{};
}

}  // namespace knarr::image
