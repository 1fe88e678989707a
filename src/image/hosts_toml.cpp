#include "image/hosts_toml.h"

#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/core.h"
#include "rpc/transfer.h"
#include "spec/toml.h"

namespace knarr::image {
namespace {

using spec::TomlKind;
using spec::TomlValue;

/// What frames a request, and what it asks for.
constexpr std::array<std::string_view, 12> kOwnHeaders{"host",
                                                       "content-length",
                                                       "content-range",
                                                       "content-type",
                                                       "transfer-encoding",
                                                       "connection",
                                                       "te",
                                                       "trailer",
                                                       "upgrade",
                                                       "expect",
                                                       "range",
                                                       "accept"};

/// Source: RFC 9110 section 5.6.2 "Tokens".
bool is_header_name(std::string_view name) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return is_alnum(c) || kMarks.find(c) != std::string_view::npos;
    });
}

class HostReader {
public:
    explicit HostReader(const std::string& path) : path_(path) {}

    Result<HostEntry> read(std::string_view address, const TomlValue& table) {
        HostEntry host;
        bool override_path = false;
        KNARR_TRY(flag(table, "override_path", override_path));
        KNARR_TRY(flag(table, "skip_verify", host.skip_verify));
        KNARR_TRY(read_address(address, table, override_path, host));
        if (const TomlValue* list = table.find("capabilities")) {
            const auto names = KNARR_TRY(texts(*list));
            const auto has = [&](std::string_view name) {
                return std::ranges::find(names, name) != names.end();
            };
            host.can_pull = has("pull");
            host.can_resolve = has("resolve");
        }
        if (const TomlValue* ca = table.find("ca")) {
            host.authorities = KNARR_TRY(texts(*ca));
        }
        if (const TomlValue* client = table.find("client")) {
            KNARR_TRY(read_clients(*client, host));
        }
        if (const TomlValue* header = table.find("header")) {
            KNARR_TRY(read_headers(*header, host));
        }
        return host;
    }

private:
    std::unexpected<Error> bad(const TomlValue& value, std::string_view why) const {
        return fail(Errc::invalid_argument, "{}: line {}: {}", path_, value.line, why);
    }
    Result<> flag(const TomlValue& table, std::string_view name, bool& out) const {
        if (const TomlValue* value = table.find(name)) {
            if (value->kind != TomlKind::boolean) {
                return bad(*value, fmt::format("{} is neither true nor false", name));
            }
            out = value->boolean;
        }
        return {};
    }
    /// One text, or an array of them.
    Result<std::vector<std::string>> texts(const TomlValue& value) const {
        if (value.kind == TomlKind::text) {
            return std::vector<std::string>{value.text};
        }
        std::vector<std::string> out;
        for (const TomlValue& element : value.elements) {
            if (element.kind != TomlKind::text) {
                return bad(element, "this is no text");
            }
            out.push_back(element.text);
        }
        if (value.kind != TomlKind::array) {
            return bad(value, "this is neither a text nor an array");
        }
        return out;
    }
    /// "both.pem", ["one.pem", "other.pem"], or [["cert.pem", "key.pem"], ...].
    Result<> read_clients(const TomlValue& value, HostEntry& host) const {
        if (value.kind == TomlKind::text) {
            host.clients.emplace_back(value.text, "");
            return {};
        }
        for (const TomlValue& element : value.elements) {
            const auto pair = KNARR_TRY(texts(element));
            if (pair.empty() || pair.size() > 2) {
                return bad(element, "a client is a certificate and a key");
            }
            host.clients.emplace_back(pair[0], pair.size() == 2 ? pair[1] : std::string());
        }
        return {};
    }
    /// NAME = "value" or ["value", ...].
    Result<> read_headers(const TomlValue& value, HostEntry& host) const {
        if (value.kind != TomlKind::table) {
            return bad(value, "header is to be written as [host.\"https://...\".header]");
        }
        std::size_t bytes = 0;
        for (const spec::TomlMember& member : value.members) {
            if (!is_header_name(member.name)) {
                return bad(member.value,
                           fmt::format("\"{}\" is no name of a header", printable(member.name)));
            }
            if (std::ranges::find(kOwnHeaders, to_lower(member.name)) != kOwnHeaders.end()) {
                return fail(Error{
                    .code = Errc::unsupported,
                    .message = fmt::format("{}: line {}: the header {} is set by knarr itself",
                                           path_,
                                           member.value.line,
                                           member.name),
                    .hint = "take it out"});
            }
            for (const std::string& text : KNARR_TRY(texts(member.value))) {
                // It may be a secret: it is not shown.
                if (text.empty() || printable(text, text.size()) != text) {
                    return bad(member.value,
                               fmt::format("the value of {} is empty or has control characters",
                                           member.name));
                }
                host.headers.push_back(fmt::format("{}: {}", member.name, text));
                bytes += host.headers.back().size() + 1;
            }
        }
        if (bytes > rpc::kMaxNameBytes) {
            return fail(Errc::limit_exceeded,
                        "{}: line {}: headers of {} bytes; at most {} are sent",
                        path_,
                        value.line,
                        bytes,
                        rpc::kMaxNameBytes);
        }
        return {};
    }
    Result<> read_address(std::string_view address,
                          const TomlValue& table,
                          bool override_path,
                          HostEntry& host) const {
        std::string_view rest = address;
        if (rest.starts_with("http://")) {
            host.plain_http = true;
            rest.remove_prefix(7);
        } else if (rest.starts_with("https://")) {
            rest.remove_prefix(8);
        } else if (rest.find("://") != std::string_view::npos) {
            return bad(table, fmt::format("\"{}\" is neither http nor https", printable(address)));
        }
        const std::size_t slash = rest.find('/');
        host.registry = rest.substr(0, slash);
        if (host.registry.empty() || host.registry.find_first_of(" @?#") != std::string::npos) {
            return bad(table, fmt::format("\"{}\" has no host", printable(address)));
        }
        std::string path(slash == std::string_view::npos ? std::string_view() : rest.substr(slash));
        while (path.ends_with('/')) {
            path.pop_back();
        }
        if (path.find_first_of(" ?#") != std::string::npos) {
            return bad(table, fmt::format("\"{}\" has more than a path", printable(address)));
        }
        const bool complete = override_path || path.ends_with("/v2");
        host.api = complete ? (path.empty() ? std::string("/v2") : path) : path + "/v2";
        return {};
    }

    const std::string& path_;
};

}  // namespace

Result<std::vector<HostEntry>> parse_hosts(std::string_view text,
                                           const std::string& path,
                                           const std::string& default_host) {
    const TomlValue root = KNARR_TRY(spec::parse_toml(text, path));
    HostReader reader(path);
    std::vector<HostEntry> hosts;
    if (const TomlValue* tables = root.find("host")) {
        for (const spec::TomlMember& member : tables->members) {
            if (member.value.kind != TomlKind::table) {
                return fail(Errc::invalid_argument,
                            "{}: line {}: host is to be written as [host.\"https://...\"]",
                            path,
                            member.value.line);
            }
            hosts.push_back(KNARR_TRY(reader.read(member.name, member.value)));
        }
    }
    const TomlValue* server = root.find("server");
    if (server != nullptr && server->kind != TomlKind::text) {
        return fail(Errc::invalid_argument, "{}: line {}: server is no text", path, server->line);
    }
    hosts.push_back(
        KNARR_TRY(reader.read(server != nullptr ? server->text : "https://" + default_host, root)));
    hosts.back().is_default = server == nullptr;
    return hosts;
}

}  // namespace knarr::image
