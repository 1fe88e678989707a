#include "registry/endpoint.h"

#include "core/core.h"

namespace knarr::registry {

std::string Endpoint::path(std::string_view what) const {
    std::string path = fmt::format("{}/{}/{}", place.api, place.repository, what);
    if (!place.ns.empty()) {
        path += fmt::format(
            "{}ns={}", path.find('?') == std::string::npos ? "?" : "&", percent_encode(place.ns));
    }
    return path;
}

void Turns::begin(std::size_t preferred) {
    had_one_.assign(endpoints_.size(), false);
    current_ = preferred;
    if (current().is_dead || !is_open(current_)) {
        current_ = next().value_or(endpoints_.size() - 1);
    }
    had_one_[current_] = true;
}

bool Turns::move_on() {
    const auto following = next();
    if (following) {
        current_ = *following;
        had_one_[current_] = true;
    }
    return following.has_value();
}

bool Turns::skipped_none() const {
    for (std::size_t i = 0; i < current_; ++i) {
        if (!had_one_[i] && !endpoints_[i]->is_dead) {
            return false;
        }
    }
    return true;
}

/// Whether an endpoint may have its turn now.
bool Turns::is_open(std::size_t index) const {
    const Endpoint& candidate = *endpoints_[index];
    if (had_one_[index] || !suits_(candidate)) {
        return false;
    }
    // An answer that we do not like is none that sends us to a place without encryption.
    if (candidate.place.only_if_dead) {
        const Endpoint& before = *endpoints_[index - 1];
        // This host's own registry, which nobody called insecure: a certificate of its counts.
        if (!before.is_dead || (!candidate.place.insecure && !before.speaks_no_tls)) {
            return false;
        }
    }
    return !candidate.is_dead || !candidate.place.is_mirror;  // a registry's own error is told
}

std::optional<std::size_t> Turns::next() const {
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        if (is_open(i)) {
            return i;
        }
    }
    return std::nullopt;
}

}  // namespace knarr::registry
