#include "image/places.h"

#include <array>
#include <functional>

#include "core/core.h"
#include "core/loopback.h"
#include "image/config_files.h"
#include "image/hosts_toml.h"
#include "image/registries_conf.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/spawn.h"

namespace knarr::image {
namespace {

constexpr std::string_view kContainerdHosts = "/etc/containerd/certs.d";

Result<std::vector<RegistryEntry>> load_registries() {
    std::vector<RegistryEntry> all;
    for (const ConfigFile& file : KNARR_TRY(registries_files())) {
        merge_registries(all, KNARR_TRY(parse_registries(file.text, file.path)));
    }
    return all;
}

/// What a registry is called in certs.d: as in names of images.
std::string name_in_dirs(const std::string& registry) {
    return registry == kDefaultDomainHost ? std::string(kDefaultDomain) : registry;
}

/// With or without a port.
bool is_this_host(std::string_view registry) {
    return is_loopback(registry.starts_with('[') ? registry.substr(0, registry.find(']') + 1)
                                                 : registry.substr(0, registry.find(':')));
}

/// Certificates in the way of docker and podman: the first directory that is there counts.
Result<> add_certificates(Place& place, const PullOptions& options) {
    const std::string host = name_in_dirs(place.session.registry);
    std::vector<std::string> dirs;
    if (!options.cert_dir.empty()) {
        dirs.push_back(options.cert_dir);
    } else {
        if (const std::string own = own_config(); !own.empty()) {
            dirs.push_back(fmt::format("{}/certs.d/{}", own, host));
        }
        dirs.push_back(fmt::format("{}/certs.d/{}", kContainers, host));
        dirs.push_back(fmt::format("/etc/docker/certs.d/{}", host));
    }
    for (const std::string& dir : dirs) {
        const auto names = KNARR_TRY(files_in(dir, ""));
        for (const std::string& name : names) {
            const std::string path = fmt::format("{}/{}", dir, name);
            if (name.ends_with(".crt")) {
                place.authorities +=
                    KNARR_TRY(sys::read_file(path, rpc::kMaxTrustBytes), "{}", path) + "\n";
            } else if (name.ends_with(".cert") && place.client_certificate.empty()) {
                const std::string key = path.substr(0, path.size() - 4) + "key";
                place.client_certificate =
                    KNARR_TRY(sys::read_file(path, rpc::kMaxTrustBytes), "{}", path);
                auto text = sys::read_file(key, rpc::kMaxTrustBytes);
                if (!text) {
                    return fail(std::move(text)
                                    .error()
                                    .within("the key beside " + path)
                                    .advise("put the key there, or take the certificate away"));
                }
                place.client_key = *std::move(text);
            }
        }
        if (!names.empty()) {
            break;
        }
    }
    return {};
}

class PlaceFinder {
public:
    PlaceFinder(const Reference& reference,
                const PullOptions& options,
                Purpose purpose,
                const PullProcess::NoticeFn& notice)
        : reference_(reference), options_(options), purpose_(purpose), notice_(notice) {}

    Result<std::vector<Place>> find() {
        KNARR_TRY(read_own_trust());
        const auto registries = KNARR_TRY(load_registries());
        if (const RegistryEntry* entry = find_registry(registries, reference_)) {
            KNARR_TRY(take_registry(*entry));
        } else if (!KNARR_TRY(take_hosts())) {
            KNARR_TRY(add(
                {.session = {.registry = reference_.host(), .repository = reference_.repository()}},
                !options_.tls_verify));
        }
        places_.back().session.is_mirror = false;
        if (places_.size() > rpc::kMaxPlaces) {
            return fail(Errc::limit_exceeded,
                        "{}: more than {} places to ask",
                        reference_.name(),
                        rpc::kMaxPlaces);
        }
        return std::move(places_);
    }

private:
    Result<> read_own_trust() {
        if (options_.tls_ca_file.empty()) {
            return {};
        }
        trust_ = KNARR_TRY(sys::read_file(options_.tls_ca_file, rpc::kMaxTrustBytes),
                           "read --tls-ca {}",
                           options_.tls_ca_file);
        if (trust_.find("-----BEGIN") == std::string::npos) {
            return fail(Error{.code = Errc::invalid_argument,
                              .message = fmt::format("--tls-ca {}: there is no certificate in it",
                                                     printable(options_.tls_ca_file)),
                              .hint = "give a PEM file with -----BEGIN CERTIFICATE-----"});
        }
        return {};
    }

    void warn(const std::string& text) const {
        if (notice_) {
            notice_("warning: " + text);
        }
    }

    /// Whether what nobody called insecure may be asked without TLS, as docker has it: nothing
    /// leaves this host. Not where anything says that TLS is spoken there, nor with what is secret.
    bool may_be_plain(const Place& place) const {
        return !place.session.plain_http && !place.session.is_mirror && options_.tls_verify &&
               is_this_host(place.session.registry) && place.authorities.empty() &&
               place.client_certificate.empty() && place.session.headers.empty();
    }

    enum class Scheme : std::uint8_t { open, stated };

    /// A place as it is; an insecure one without a check of its certificate, and, where no TLS is
    /// spoken at all, without it.
    Result<> add(Place place, bool insecure, Scheme scheme = Scheme::open) {
        if (!place.session.is_mirror && options_.plain_http) {
            place.session.plain_http = true;
        }
        place.authorities = trust_ + "\n" + place.authorities;
        if (!place.session.plain_http) {
            KNARR_TRY(add_certificates(place, options_));
        }
        if (place.authorities == "\n") {
            place.authorities.clear();
        }
        if (!insecure || place.session.plain_http) {
            place.session.insecure |= insecure;
            places_.push_back(place);
            if (scheme == Scheme::open && may_be_plain(place)) {
                place.session.plain_http = true;
                place.session.only_if_dead = true;
                places_.push_back(std::move(place));
            }
            return {};
        }
        warn(fmt::format("{}: its certificate is not checked; without TLS, nothing is encrypted",
                         printable(place.session.registry)));
        place.session.insecure = true;
        Place plain = place;
        plain.session.plain_http = true;
        plain.session.only_if_dead = true;
        places_.push_back(std::move(place));
        places_.push_back(std::move(plain));
        return {};
    }

    Result<> take_registry(const RegistryEntry& entry) {
        const auto rewritten = KNARR_TRY(
            rewrite(entry, reference_, purpose_ == Purpose::pull), "{}", reference_.name());
        for (const RewrittenPlace& one : rewritten) {
            const bool is_last = &one == &rewritten.back();
            KNARR_TRY(add({.session = {.registry = one.registry,
                                       .repository = one.repository,
                                       .is_mirror = !is_last}},
                          one.insecure || (is_last && !options_.tls_verify)));
        }
        return {};
    }

    /// Whether there is a hosts.toml for the registry.
    Result<bool> take_hosts() {
        const std::string dir =
            options_.hosts_dir.empty() ? std::string(kContainerdHosts) : options_.hosts_dir;
        std::string with_port = reference_.domain();
        if (const std::size_t colon = with_port.rfind(':'); colon != std::string::npos) {
            with_port = with_port.substr(0, colon) + "_" + with_port.substr(colon + 1) + "_";
        }
        for (const std::string& name : {reference_.domain(), with_port, std::string("_default")}) {
            const std::string own = fmt::format("{}/{}", dir, name);
            const std::string path = own + "/hosts.toml";
            const auto text = KNARR_TRY(read_if_there(path));
            if (text) {
                KNARR_TRY(take_host_list(*text, path, own));
                return true;
            }
        }
        return false;
    }

    Result<> take_host_list(const std::string& text,
                            const std::string& path,
                            const std::string& dir) {
        std::vector<HostEntry> hosts = KNARR_TRY(parse_hosts(text, path, reference_.host()));
        if (hosts.back().registry == kDefaultDomain) {
            hosts.back().registry = kDefaultDomainHost;
        }
        for (const HostEntry& host : hosts) {
            const bool is_last = &host == &hosts.back();
            if (!is_last && (purpose_ != Purpose::pull || !host.can_pull)) {
                continue;
            }
            Place place{.session = {.registry = host.registry,
                                    .repository = reference_.repository(),
                                    .api = host.api,
                                    .ns = is_last ? std::string() : reference_.domain(),
                                    .plain_http = host.plain_http,
                                    .digests_only = !host.can_resolve && !is_last,
                                    .is_mirror = !is_last}};
            for (const std::string& header : host.headers) {
                place.session.headers += header + "\n";
            }
            KNARR_TRY(add_host_files(place, host, dir));
            if (host.plain_http) {
                warn(fmt::format("{} in {} is without TLS: nothing is encrypted",
                                 printable(host.registry),
                                 path));
            }
            // skip_verify is no word for a way without TLS.
            if (host.skip_verify && !host.plain_http) {
                warn(fmt::format("{}: its certificate is not checked", printable(host.registry)));
            }
            place.session.insecure = host.skip_verify || host.plain_http;
            KNARR_TRY(add(std::move(place),
                          is_last && !options_.tls_verify,
                          host.is_default ? Scheme::open : Scheme::stated));
        }
        return {};
    }

    Result<> add_host_files(Place& place, const HostEntry& host, const std::string& dir) {
        const auto read = [&](const std::string& name) -> Result<std::string> {
            const std::string path = name.starts_with('/') ? name : dir + "/" + name;
            return KNARR_TRY(sys::read_file(path, rpc::kMaxTrustBytes), "{}", path);
        };
        for (const std::string& file : host.authorities) {
            place.authorities += KNARR_TRY(read(file)) + "\n";
        }
        if (!host.clients.empty()) {
            const auto& [certificate, key] = host.clients.front();
            place.client_certificate = KNARR_TRY(read(certificate));
            if (host.clients.size() > 1) {
                warn(fmt::format("{}: of several clients the first, {}, is used",
                                 printable(host.registry),
                                 printable(certificate)));
            }
            place.client_key = key.empty() ? place.client_certificate : KNARR_TRY(read(key));
        }
        return {};
    }

    const Reference& reference_;
    const PullOptions& options_;
    Purpose purpose_;
    const PullProcess::NoticeFn& notice_;
    std::string trust_;
    std::vector<Place> places_;
};

}  // namespace

Result<std::vector<Place>> places_of(const Reference& reference,
                                     const PullOptions& options,
                                     Purpose purpose,
                                     const PullProcess::NoticeFn& notice) {
    return PlaceFinder(reference, options, purpose, notice).find();
}

}  // namespace knarr::image
