#pragma once
// What the verbs share that put a caller in front of a container.

#include "cli/verb.h"
#include "knarr/attach.h"

namespace knarr::cli {

inline constexpr Option kDetachKeysOption{.name = "detach-keys",
                                          .value = "KEYS",
                                          .help = "leave a terminal by these, and let it run on",
                                          .fallback = "ctrl-p,ctrl-q"};
inline constexpr Option kSigProxyOption{
    .name = "sig-proxy",
    .help = "=false: without a terminal, signals end knarr instead of being passed on",
    .fallback = "true"};

/// What these say.
AttachRequest attach_request(const Parsed& args);

}  // namespace knarr::cli
