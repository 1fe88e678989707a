#pragma once
// The places of one repository, the registry and its mirrors, and whose turn it is to be asked.

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/auth.h"
#include "registry/http.h"
#include "registry/url.h"
#include "rpc/transfer.h"

namespace knarr::registry {

/// One place to ask: a mirror, or the registry itself.
struct Endpoint {
    Endpoint(rpc::Session session, Url address)
        : place(std::move(session)), url(std::move(address)), login(place, url) {
        tls.verify = !place.insecure;
        elsewhere.verify = true;
    }

    /// "/v2/library/busybox/" + `what`, with the query that mirrors want.
    std::string path(std::string_view what) const;

    rpc::Session place;
    Url url;
    Login login;
    Tls tls;               ///< of the place itself
    Tls elsewhere;         ///< of what it points to: no client certificate, always verified
    bool is_dead = false;  ///< nobody answered there
    bool speaks_no_tls = false;
};

/// The registry that was named is the last one.
using Endpoints = std::vector<std::unique_ptr<Endpoint>>;

/// Whose turn it is for one object: each endpoint has one at most.
class Turns {
public:
    /// `endpoints` outlives this; `suits` says which of them can be asked for the object.
    Turns(const Endpoints& endpoints, std::function<bool(const Endpoint&)> suits)
        : endpoints_(endpoints), suits_(std::move(suits)), had_one_(endpoints.size()) {}

    /// From the beginning: the one where something was found, else in order.
    void begin(std::size_t preferred);
    Endpoint& current() const { return *endpoints_[current_]; }
    std::size_t index() const { return current_; }
    bool has_next() const { return next().has_value(); }
    /// The next one's turn; false: there is none.
    bool move_on();
    /// Whether all before this one had their turn or are dead.
    bool skipped_none() const;

private:
    bool is_open(std::size_t index) const;
    std::optional<std::size_t> next() const;

    const Endpoints& endpoints_;
    std::function<bool(const Endpoint&)> suits_;
    std::vector<bool> had_one_;
    std::size_t current_ = 0;
};

}  // namespace knarr::registry
