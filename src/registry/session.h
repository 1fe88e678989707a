#pragma once
// registry: speaks to container registries. Linked into knarr-pull alone.
//
//   url.h        addresses: checked, joined, redirected
//   http.h       requests in parallel; the only user of libcurl
//   challenge.h  WWW-Authenticate
//   auth.h       bearer tokens, basic logins
//   retry.h      backoff, Retry-After
//   endpoint.h   the registry and its mirrors, and whose turn it is
//   refusal.h    what an answer means that is none to go on with
//   job.h        one thing to do: logins, redirects, retries, mirrors
//   fetch.h      a manifest or a blob, resumed, into a pipe
//   lanes.h      a large blob over several connections
//   upload.h     a blob or a manifest, out of a file
//   query.h      logins tried, tags, referrers, deleting
//   session.h    serves one knarr: requests in, events out
//
// Words: a session is one repository and the places (endpoints) that have it; a job is one manifest
// or blob, or one question. The wire to knarr is rpc/transfer.h.

#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::registry {

/// Serves the requests that come over `socket` until its other end is closed.
/// Errors: those that end a whole session; they were reported over the socket too.
Result<> serve(const sys::Fd& socket);

}  // namespace knarr::registry
