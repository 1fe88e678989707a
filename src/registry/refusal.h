#pragma once
// What an answer means that is none to go on with: why, for people, and whether to try again.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "knarr/error.h"
#include "registry/http.h"

namespace knarr::registry {

/// The longest text of a server's that is shown.
inline constexpr std::size_t kMaxErrorTextBytes = 512;

struct Refusal {
    Errc code = Errc::registry_failed;
    std::string text;  ///< "r.io answered 403: DENIED: no", and what follows from that
    std::string hint = {};
    bool may_pass = false;                          ///< the same may go well later
    std::string reason = {};                        ///< of another try
    std::optional<std::chrono::seconds> wait = {};  ///< before that, where the server says so
};

/// Who was asked, for what is told.
struct Asked {
    std::string_view host;
    bool logged_in = false;
};

/// Of any status but a redirect and a first 401; `body` is what came with it.
Refusal refusal_of(const HttpHead& head,
                   std::string_view body,
                   const Asked& asked,
                   Clock::Wall now);

}  // namespace knarr::registry
