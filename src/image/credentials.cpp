#include "image/credentials.h"

#include <cerrno>

#include "core/core.h"
#include "image/credential_helper.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "platform/spawn.h"
#include "spec/registry.h"

namespace knarr::image {
namespace {

/// Stands for a registry as a whole where a reference is wanted.
constexpr std::string_view kNoRepository = "any";
/// The user name that marks an identity token.
constexpr std::string_view kTokenUser = "<token>";

}  // namespace

std::vector<std::string> login_keys(const Reference& reference) {
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

namespace {

Credentials take_entry(Credentials entry) {
    if (entry.username == kTokenUser && entry.identity_token.empty()) {
        entry.identity_token = std::exchange(entry.password, {});
        entry.username.clear();
    }
    return entry;
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
    const std::string docker = sys::environment("DOCKER_CONFIG");
    if (!docker.empty()) {  // said by the caller, where the others are only customary
        files.push_back({.path = docker + "/config.json"});
    }
    const std::string runtime = sys::environment("XDG_RUNTIME_DIR");
    files.push_back({.path = runtime.empty() ? fmt::format("/run/containers/{}/auth.json",
                                                           sys::own_user().outer_uid)
                                             : runtime + "/containers/auth.json"});
    const std::string home = sys::environment("HOME"), config = sys::environment("XDG_CONFIG_HOME");
    if (!config.empty() || !home.empty()) {
        files.push_back(
            {.path = (config.empty() ? home + "/.config" : config) + "/containers/auth.json"});
    }
    if (docker.empty() && !home.empty()) {
        files.push_back({.path = home + "/.docker/config.json"});
    }
    return files;
}

std::optional<Reference> place_at(std::string_view host, std::string_view repository) {
    const std::string_view domain = host == kDefaultDomainHost ? kDefaultDomain : host;
    auto place = Reference::parse(fmt::format("{}/{}", domain, repository));
    return place && place->domain() == domain ? std::optional(*std::move(place)) : std::nullopt;
}

Result<Reference> login_place(std::string_view registry) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (registry.starts_with(scheme)) {
            registry.remove_prefix(scheme.size());
        }
    }
    while (registry.ends_with('/')) {
        registry.remove_suffix(1);
    }
    if (registry.empty() || registry == "index.docker.io/v1") {
        registry = kDefaultDomain;
    }
    // A registry alone is no name of an image: it gets a repository that every registry may have.
    const std::size_t slash = registry.find('/');
    const std::string name = slash == std::string_view::npos
                                 ? fmt::format("{}/{}", registry, kNoRepository)
                                 : std::string(registry);
    auto place = Reference::parse(name);
    const std::string_view domain = registry.substr(0, slash);
    if (!place || place->domain() != domain) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("\"{}\" is no registry", printable(registry)),
                          .hint = "write HOST[:PORT][/PATH], as in registry.example:5000"});
    }
    return place;
}

Result<FoundLogin> find_credentials(std::string_view json,
                                    const std::string& path,
                                    const Reference& reference) {
    const spec::CredentialsFile file = KNARR_TRY(spec::decode_credentials(json), "{}", path);
    FoundLogin found;
    for (const std::string& key : login_keys(reference)) {
        if (const auto helper = file.cred_helpers.find(key); helper != file.cred_helpers.end()) {
            found.helper = helper->second;
            found.server = key;
            found.is_expected = true;
            return found;
        }
        const auto entry = file.auths.find(key);
        if (entry == file.auths.end()) {
            continue;
        }
        found.is_expected = true;  // docker leaves an empty entry for a login that its store keeps
        Credentials login = take_entry(entry->second);
        if (!login.username.empty() || !login.identity_token.empty()) {
            found.credentials = std::move(login);
            return found;
        }
        break;
    }
    found.helper = file.creds_store;
    found.server = reference.domain() == kDefaultDomain ? kHubKey : reference.domain();
    return found;
}

Result<Credentials> load_credentials(const Reference& reference,
                                     std::string_view auth_file,
                                     std::chrono::seconds helper_patience) {
    for (const AuthFile& file : auth_files(auth_file)) {
        auto text = sys::read_file(file.path, kMaxAuthFileBytes);
        if (!text) {
            if (file.must_exist ||
                (text.error().sys_errno != ENOENT && text.error().sys_errno != ENOTDIR)) {
                return fail(std::move(text).error().within("read the logins"));
            }
            continue;
        }
        FoundLogin found = KNARR_TRY(find_credentials(*text, file.path, reference));
        if (found.credentials) {
            return *std::move(found.credentials);
        }
        if (found.helper.empty() || (!found.is_expected && !has_helper(found.helper))) {
            continue;
        }
        auto asked = KNARR_TRY(
            ask_helper(found.helper, found.server, helper_patience), "the logins of {}", file.path);
        if (asked) {
            return *std::move(asked);
        }
    }
    return Credentials{};
}

}  // namespace knarr::image
