#pragma once
// rpc: how knarr talks to other programs: here knarr <-> knarr-pull; to systemd see systemd.h,
// which stands on dbus_bus.h (one connection) and dbus_wire.h (its messages as bytes).
//
// knarr-pull is the only program that speaks to a network. It has no rights and no store: it gets
// requests over a SOCK_SEQPACKET pair, puts the bytes it fetches into pipes, and sends those of
// open files. Each packet is one message: u8 version, u8 type, then the fields in order; numbers
// little-endian, texts as u32 length and bytes. Every text has a bound, unknown types and trailing
// bytes are refused.
//
//   knarr                                      knarr-pull
//   session {registry, repository, login, ..} ->   1..n times: places to ask, in this order
//   trust {kind, PEM bytes}      (0..n times) ->   certificates for the session before it
//   fetch {id, kind, target, ..} + pipe's end ->   up to limits::kMaxInFlightBlobs jobs at a time
//   push {id, kind, target, ..} + a file      ->
//   remove {id, target}                       ->
//   leave {}                                  ->   gives open uploads back to the registry,
//                                                  then ends
//                                             <-   notice {id, text}    waits, retries (0..n times)
//                                             <-   sent {id, bytes}     of a push (0..n times)
//                                             <-   head {id, status, type, length, digest, ..}
//   reads the pipe                            <-   bytes of the body, through the pipe
//                                             <-   done {id, bytes, how}   the pipe is closed
//                                         or  <-   failed {id, code, text, hint, status}
//   closes the socket                         ->   exits at once, whatever is in flight
//
// Bytes are only good after done: a pipe also ends when knarr-pull dies. Done says that the body
// was whole as HTTP sees it; whether it is the right one is for knarr to find out (digest).

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "knarr/error.h"
#include "knarr/result.h"

namespace knarr::rpc {

inline constexpr std::uint8_t kTransferVersion = 4;
inline constexpr std::size_t kMaxPacketBytes = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxTextBytes =
    std::size_t{12} * 1024;  // a secret, or what is asked for
inline constexpr std::size_t kMaxNameBytes =
    std::size_t{4} * 1024;                     // so that all of a session fit in a packet
inline constexpr std::size_t kMaxPlaces = 32;  // sessions before the first job
inline constexpr std::size_t kMaxPemPieceBytes = std::size_t{32} * 1024;
inline constexpr std::size_t kMaxTrustBytes =
    std::size_t{1024} * 1024;                            // all trust messages together
inline constexpr std::size_t kMaxEventTextBytes = 2048;  // messages and hints from knarr-pull

/// One place that has the repository, and how to speak with it. The last one is the registry that
/// was named; those before it are mirrors, which need not have everything.
struct Session {
    std::string registry = {};    ///< host[:port] to connect to, "registry-1.docker.io"
    std::string repository = {};  ///< "library/busybox"; may be empty where none is asked for
    std::string api = "/v2";      ///< what stands before the repository in paths
    std::string ns = {};          ///< for mirrors that want to know whose images are meant
    /// Of the token, words as "repository:a/b:pull,push"; empty: what the registry asks for.
    std::string scope = {};
    std::string headers = {};  ///< lines "Name: value", for this host alone; may be secret
    std::string username = {}, password = {};
    std::string identity_token = {};     ///< OAuth2 refresh token; wins over the password
    bool plain_http = false;             ///< refused for hosts that are not loopback, unless
    bool insecure = false;               ///< the operator said so: certificates are not checked
    bool digests_only = false;           ///< it is not to be asked what a tag means
    bool is_mirror = false;              ///< only pulls may go there
    bool only_if_dead = false;           ///< only where nobody answered at the place before
    std::uint32_t stall_seconds = 0;     ///< give up after so long without progress; > 0
    std::uint32_t retries = 0;           ///< further tries after broken connections and 5xx
    std::uint32_t deadline_seconds = 0;  ///< for all jobs together; 0: none
};

/// A way without TLS that nobody asked for: to this host's own registry, and without a login.
inline bool is_plain_by_default(const Session& session) {
    return session.only_if_dead && session.plain_http && !session.insecure;
}

/// What both sides say when the time that the whole operation was given is over.
Error operation_over(std::string_view subject, std::chrono::seconds given);

enum class TrustKind : std::uint8_t { authorities = 0, client_certificate = 1, client_key = 2 };

/// PEM, in pieces of at most kMaxPemPieceBytes.
struct Trust {
    TrustKind kind = TrustKind::authorities;
    std::string pem = {};
};

enum class FetchKind : std::uint8_t {
    manifest = 0,
    blob = 1,
    ping = 2,       ///< whether the login is good; the target is empty
    tags = 3,       ///< the first page of the list of tags; the target is empty
    referrers = 4,  ///< of the manifest with the digest `target`
    page = 5,       ///< a further page, `target` is the link of the one before
};

/// One object to fetch. The pipe's write end travels with it.
struct Fetch {
    std::uint32_t id = 0;
    FetchKind kind = FetchKind::manifest;
    std::string target = {};      ///< tag or digest of a manifest, digest of a blob, ...
    std::uint64_t max_bytes = 0;  ///< more is an error
    std::uint64_t size = 0;       ///< of a blob: the exact size; less is an error, and resumed
    std::uint64_t offset = 0;     ///< of a blob: so much of it is there already
};

/// One blob or manifest to store in the registry. The open file with its bytes travels with it.
struct Push {
    std::uint32_t id = 0;
    FetchKind kind = FetchKind::blob;  ///< manifest or blob
    std::string target = {};           ///< digest of a blob, tag or digest of a manifest
    std::string media_type = {};       ///< of a manifest
    std::uint64_t size = 0;
    std::string mount_from = {};  ///< a repository that may have the blob; empty: none is known
};

/// A manifest to be deleted from the registry, by its digest.
struct Remove {
    std::uint32_t id = 0;
    std::string target = {};
};

/// Nothing more is wanted: jobs end, and of uploads that are open the registry is told so, for at
/// most kLeaveTime. Then the socket is closed.
struct Leave {};
inline constexpr std::chrono::seconds kLeaveTime{2};

/// The answer is there; its body follows through the pipe. Sent once per fetch.
struct Head {
    std::uint32_t id = 0;
    std::uint32_t status = 0;
    std::string media_type = {};
    std::string digest = {};   ///< Docker-Content-Digest; may be empty
    std::uint64_t length = 0;  ///< 0: not known
    std::string link = {};     ///< to the next page of a list; empty: there is none
    /// Of a manifest that was pushed: the registry lists it for its subject (OCI-Subject).
    bool lists_referrer = false;
};

/// So much of a push is on its way, or was taken by the registry.
struct Sent {
    std::uint32_t id = 0;
    std::uint64_t bytes = 0;
};

enum class Outcome : std::uint8_t {
    transferred = 0,
    present = 1,  ///< the registry had it
    mounted = 2,  ///< the registry took it from another repository
};

/// A wait or a retry, for people.
struct Notice {
    std::uint32_t id = 0;
    std::string text = {};
};

struct Done {
    std::uint32_t id = 0;
    std::uint64_t bytes = 0;  ///< put into the pipe, or sent
    Outcome how = Outcome::transferred;
};

struct Failed {
    std::uint32_t id = 0;  ///< 0: the whole session
    Errc code = Errc::registry_failed;
    std::string message = {}, hint = {};
    std::uint32_t status = 0;  ///< HTTP, 0 when none
};

using Request = std::variant<Session, Trust, Fetch, Push, Remove, Leave>;
using Event = std::variant<Head, Notice, Sent, Done, Failed>;

/// The caller keeps texts within their bounds: longer ones are cut, and cut secrets do not work.
std::string encode(const Request& request);
/// Long texts of an event are cut to their bounds; a bad code becomes registry_failed.
std::string encode(const Event& event);

/// Errors: invalid_argument naming the field, for both.
Result<Request> decode_request(std::string_view packet);
/// Only codes that a fetch can end with are accepted; texts are made printable.
Result<Event> decode_event(std::string_view packet);

}  // namespace knarr::rpc
