#include "image/login.h"

#include <cerrno>

#include "core/core.h"
#include "image/connect.h"
#include "image/credential_helper.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "spec/registry.h"

namespace knarr::image {
namespace {

constexpr int kMaxLinks = 8;

/// A file with logins that is about to be changed, and nobody else may change meanwhile.
struct OpenFile {
    std::string path;
    std::string name;
    sys::Fd dir;
    std::optional<sys::FileLock> lock;
    std::string text;  ///< empty: the file is not there
    spec::CredentialsFile logins;
};

/// Where a link leads: the file itself is replaced, and the link stays.
Result<std::string> without_links(std::string path) {
    for (int i = 0; i < kMaxLinks; ++i) {
        const std::size_t slash = path.rfind('/');
        const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
        const auto dir = sys::open_path(parent, O_PATH | O_DIRECTORY);
        if (!dir) {
            return path;  // it is yet to be made
        }
        const auto link = sys::read_link_at(*dir, path.substr(slash + 1));
        if (!link) {
            return path;
        }
        path = link->starts_with('/') ? *link : fmt::format("{}/{}", parent, *link);
    }
    return fail(Errc::io, "{}: more than {} links in a row", printable(path), kMaxLinks);
}

/// Nothing when it is not there and need not be made.
Result<std::optional<OpenFile>> open_file(const std::string& path, bool make) {
    OpenFile file;
    file.path = KNARR_TRY(without_links(path));
    const std::size_t slash = file.path.rfind('/');
    file.name = file.path.substr(slash + 1);
    const std::string parent = slash == std::string::npos ? "." : file.path.substr(0, slash + 1);
    if (make) {
        KNARR_TRY(sys::make_dirs(parent, 0700), "keep the login");
    }
    auto dir = sys::open_path(parent, O_RDONLY | O_DIRECTORY);
    if (!dir && dir.error().sys_errno == ENOENT && !make) {
        return std::optional<OpenFile>();
    }
    file.dir = KNARR_TRY(std::move(dir), "{}", parent);
    file.lock.emplace(KNARR_TRY(
        sys::FileLock::acquire(file.dir, file.name + ".lock", sys::FileLock::Kind::exclusive),
        "change {}",
        file.path));
    auto text = sys::read_file_at(file.dir, file.name, kMaxAuthFileBytes);
    if (!text && text.error().sys_errno == ENOENT) {
        return make ? std::optional(std::move(file)) : std::nullopt;
    }
    file.text = KNARR_TRY(std::move(text), "change {}", file.path);
    if (!file.text.empty()) {
        file.logins = KNARR_TRY(spec::decode_credentials(file.text), "{}", file.path);
    }
    return std::optional(std::move(file));
}

/// The name under which login keeps what is for `place`: what was asked for, docker's own name for
/// the Hub in docker's own file.
std::string key_of(const Reference& place, const std::string& path, std::string_view asked) {
    if (place.domain() == kDefaultDomain && path.ends_with("config.json")) {
        return std::string(kHubKey);
    }
    const bool whole = asked.find('/') == std::string_view::npos || asked.starts_with("http");
    return whole ? place.domain() : place.name();
}

/// The helper that the file wants for a login; empty: none.
std::string helper_of(const spec::CredentialsFile& logins, const Reference& place) {
    for (const std::string& key : login_keys(place)) {
        if (const auto at = logins.cred_helpers.find(key); at != logins.cred_helpers.end()) {
            return at->second;
        }
    }
    return logins.creds_store;
}

std::string server_of(const Reference& place) {
    return place.domain() == kDefaultDomain ? std::string(kHubKey) : place.domain();
}

Result<> write_file(OpenFile& file, std::string text) {
    file.text = std::move(text);
    return sys::replace_file(file.dir, file.name, file.text, 0600);
}

Result<std::string> keep(const Reference& place,
                         const LoginRequest& request,
                         const Credentials& login) {
    const std::string path = login_file(request.options.auth_file);
    std::optional<OpenFile> opened = KNARR_TRY(open_file(path, true));
    OpenFile& file = *opened;
    if (const std::string helper = helper_of(file.logins, place); !helper.empty()) {
        KNARR_TRY(store_in_helper(helper, server_of(place), login));
        return "docker-credential-" + helper;
    }
    std::string text = KNARR_TRY(
        spec::edit_credentials(file.text, key_of(place, file.path, request.registry), &login),
        "{}",
        file.path);
    KNARR_TRY(write_file(file, std::move(text)));
    return file.path;
}

}  // namespace

std::string login_file(std::string_view auth_file) {
    return auth_files(auth_file).front().path;
}

Result<LoginReport> log_in(const LoginRequest& request) {
    const Reference place = KNARR_TRY(login_place(request.registry));
    const std::string& registry = place.domain();
    // A colon would end the name early, wherever the login is sent as Basic.
    if (request.username.empty() || request.username.find(':') != std::string::npos ||
        (request.username + request.password).find_first_of(std::string_view("\r\n\0", 3)) !=
            std::string::npos) {
        return fail(Errc::invalid_argument,
                    "login to {}: the user name is empty or has a colon, or there is a line break",
                    registry);
    }
    const Credentials login{
        .username = request.username, .password = request.password, .identity_token = {}};
    KNARR_TRY(
        ask_whether_good(place, login, request.options, request.notice), "login to {}", registry);
    const std::string kept = KNARR_TRY(keep(place, request, login), "login to {}", registry);
    return LoginReport{.registry = registry, .place = kept};
}

Result<LoginReport> log_out(const std::string& registry, std::string_view auth_file) {
    const Reference place = KNARR_TRY(login_place(registry));
    const std::string path = login_file(auth_file);
    auto file = KNARR_TRY(open_file(path, false), "logout of {}", place.domain());
    LoginReport report{.registry = place.domain(), .place = {}};
    if (file) {
        if (const std::string helper = helper_of(file->logins, place);
            !helper.empty() && KNARR_TRY(erase_from_helper(helper, server_of(place)))) {
            report.place = "docker-credential-" + helper;
        }
        std::string text = file->text;
        for (const std::string& key : login_keys(place)) {
            // Of a path its own entry alone; of a registry what stands for all of it.
            if (file->logins.auths.contains(key) &&
                (key == key_of(place, file->path, registry) || key.find('/') == std::string::npos ||
                 key.starts_with("http"))) {
                text = KNARR_TRY(spec::edit_credentials(text, key, nullptr), "{}", file->path);
                report.place = file->path;
            }
        }
        if (text != file->text) {
            KNARR_TRY(write_file(*file, std::move(text)));
        }
    }
    if (!report.place.empty()) {
        return report;
    }
    const auto elsewhere = load_credentials(place, auth_file);
    const bool other =
        elsewhere && (!elsewhere->username.empty() || !elsewhere->identity_token.empty());
    if (!other) {
        return report;  // nothing is there that had to go
    }
    return fail(Error{.code = Errc::not_found,
                      .message = fmt::format("{}: there is no login in {}", place.domain(), path),
                      .hint = "another file has one: --authfile FILE names it, as in "
                              "--authfile ~/.docker/config.json"});
}

Result<std::vector<std::string>> log_out_everywhere(std::string_view auth_file) {
    auto file = KNARR_TRY(open_file(login_file(auth_file), false), "logout");
    std::vector<std::string> gone;
    if (!file) {
        return gone;
    }
    std::string text = file->text;
    for (const auto& [registry, login] : file->logins.auths) {
        text = KNARR_TRY(spec::edit_credentials(text, registry, nullptr), "{}", file->path);
        gone.push_back(registry);
    }
    for (const auto& [registry, helper] : file->logins.cred_helpers) {
        if (KNARR_TRY(erase_from_helper(helper, registry))) {
            gone.push_back(registry);
        }
    }
    if (const std::string& store = file->logins.creds_store; !store.empty()) {
        const auto kept = KNARR_TRY(list_helper(store));
        for (const auto& [server, user] : kept) {
            KNARR_TRY(erase_from_helper(store, server));
            gone.push_back(server);
        }
    }
    if (text != file->text) {
        KNARR_TRY(write_file(*file, std::move(text)));
    }
    return gone;
}

Result<std::optional<std::string>> logged_in_user(const std::string& registry,
                                                  std::string_view auth_file) {
    const Reference place = KNARR_TRY(login_place(registry));
    const Credentials login = KNARR_TRY(load_credentials(place, auth_file));
    if (!login.username.empty()) {
        return std::optional(login.username);
    }
    return login.identity_token.empty() ? std::nullopt : std::optional<std::string>("<token>");
}

}  // namespace knarr::image
