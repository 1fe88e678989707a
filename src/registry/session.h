#pragma once
// registry: speaks to container registries. Linked into knarr-pull alone.
//
//   url.h        addresses: checked, joined, redirected
//   http.h       requests in parallel; the only user of libcurl
//   challenge.h  WWW-Authenticate
//   auth.h       bearer tokens, basic logins
//   retry.h      backoff, Retry-After
//   fetch.h      one object: logins, redirects, retries, resuming, into a pipe
//   session.h    serves one knarr: requests in, events out
//
// Words: a session is one registry and one repository; a fetch is one manifest or blob.
// The wire to knarr is rpc/transfer.h.

#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::registry {

/// Serves the requests that come over `socket` until its other end is closed.
/// Errors: those that end a whole session; they were reported over the socket too.
Result<> serve(const sys::Fd& socket);

}  // namespace knarr::registry
