#include "image/credentials.h"

#include <cerrno>

#include "core/core.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/spawn.h"
#include "spec/registry.h"

namespace knarr::image {
namespace {

constexpr std::size_t kMaxAuthFileBytes = size::kMiB;
/// docker's name for the Hub in its config.json, and the user name that marks an identity token.
constexpr std::string_view kHubKey = "https://index.docker.io/v1/";
constexpr std::string_view kTokenUser = "<token>";

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

Credentials take_entry(spec::RegistryAuth entry) {
    Credentials found{.username = std::move(entry.username),
                      .password = std::move(entry.password),
                      .identity_token = std::move(entry.identity_token)};
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
                                 ? fmt::format("/run/containers/{}/auth.json", sys::effective_uid())
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
    const spec::CredentialsFile file = KNARR_TRY(spec::decode_credentials(json), "{}", path);
    for (const std::string& key : keys_of(reference)) {
        if (const auto helper = file.cred_helpers.find(key); helper != file.cred_helpers.end()) {
            return fail(helper_needed(path, key, helper->second));
        }
        const auto entry = file.auths.find(key);
        if (entry == file.auths.end()) {
            continue;
        }
        Credentials found = take_entry(entry->second);
        if (!found.username.empty() || !found.identity_token.empty()) {
            return std::optional(std::move(found));
        }
        // docker leaves an empty entry behind for a login that its store keeps.
        if (!file.creds_store.empty()) {
            return fail(helper_needed(path, key, file.creds_store));
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
