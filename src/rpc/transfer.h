#pragma once
// rpc: how knarr talks to other programs: here knarr <-> knarr-pull; to systemd see systemd.h.
//
// knarr-pull is the only program that speaks to a network. It has no rights and no store: it gets
// requests over a SOCK_SEQPACKET pair and puts the bytes it fetches into pipes. Each packet is one
// message: u8 version, u8 type, then the fields in order; numbers little-endian, texts as u32
// length and bytes. Every text has a bound, unknown types and trailing bytes are refused.
//
//   knarr                                      knarr-pull
//   session {registry, repository, login, ..} ->
//   trust {PEM bytes}            (0..n times) ->   certificates to trust besides the system's
//   fetch {id, kind, target, ..} + pipe's end ->   up to limits::kMaxInFlightBlobs at a time
//                                             <-   notice {id, text}    waits, retries (0..n times)
//                                             <-   head {id, status, type, length, digest}
//   reads the pipe                            <-   bytes of the body, through the pipe
//                                             <-   done {id, bytes}     the pipe is closed
//                                         or  <-   failed {id, code, text, hint, status}
//   closes the socket                         ->   exits at once, whatever is in flight
//
// Bytes are only good after done: a pipe also ends when knarr-pull dies. Done says that the body
// was whole as HTTP sees it; whether it is the right one is for knarr to find out (digest).

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "knarr/error.h"
#include "knarr/result.h"

namespace knarr::rpc {

inline constexpr std::uint8_t kTransferVersion = 1;
inline constexpr std::size_t kMaxPacketBytes = 64 * 1024;
inline constexpr std::size_t kMaxTextBytes = 12 * 1024;  // one field; five fit into a packet
inline constexpr std::size_t kMaxPemPieceBytes = 32 * 1024;
inline constexpr std::size_t kMaxTrustBytes = 1024 * 1024;  // all trust messages together
inline constexpr std::size_t kMaxEventTextBytes = 2048;     // messages and hints from knarr-pull

/// The first message: with whom all fetches speak, and how.
struct Session {
    std::string registry = {};    ///< host[:port] to connect to, "registry-1.docker.io"
    std::string repository = {};  ///< "library/busybox"
    std::string username = {}, password = {};
    std::string identity_token = {};  ///< OAuth2 refresh token; wins over the password
    bool plain_http = false;          ///< refused for hosts that are not loopback
    std::uint32_t stall_seconds = 0;  ///< give up after so long without progress; > 0
    std::uint32_t retries = 0;        ///< further tries after broken connections and 5xx
};

/// PEM certificates, in pieces of at most kMaxPemPieceBytes.
struct Trust {
    std::string pem = {};
};

enum class FetchKind : std::uint8_t { manifest = 0, blob = 1 };

/// One object to fetch. The pipe's write end travels with it.
struct Fetch {
    std::uint32_t id = 0;
    FetchKind kind = FetchKind::manifest;
    std::string target = {};      ///< tag or digest of a manifest, digest of a blob
    std::uint64_t max_bytes = 0;  ///< more is an error
    std::uint64_t size = 0;       ///< of a blob: the exact size; less is an error, and resumed
};

/// The answer is there; its body follows through the pipe. Sent once per fetch.
struct Head {
    std::uint32_t id = 0;
    std::uint32_t status = 0;
    std::string media_type = {};
    std::string digest = {};   ///< Docker-Content-Digest; may be empty
    std::uint64_t length = 0;  ///< 0: not known
};

/// A wait or a retry, for people.
struct Notice {
    std::uint32_t id = 0;
    std::string text = {};
};

struct Done {
    std::uint32_t id = 0;
    std::uint64_t bytes = 0;  ///< put into the pipe
};

struct Failed {
    std::uint32_t id = 0;  ///< 0: the whole session
    Errc code = Errc::registry_failed;
    std::string message = {}, hint = {};
    std::uint32_t status = 0;  ///< HTTP, 0 when none
};

using Request = std::variant<Session, Trust, Fetch>;
using Event = std::variant<Head, Notice, Done, Failed>;

/// The caller keeps texts within kMaxTextBytes: longer ones are cut, and cut secrets do not work.
std::string encode(const Request& request);
/// Long texts of an event are cut to their bounds; a bad code becomes registry_failed.
std::string encode(const Event& event);

/// Errors: invalid_argument naming the field, for both.
Result<Request> decode_request(std::string_view packet);
/// Only codes that a fetch can end with are accepted; texts are made printable.
Result<Event> decode_event(std::string_view packet);

}  // namespace knarr::rpc
