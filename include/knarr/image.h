#pragma once
// Images as an embedder sees them: what to pull, how it goes, what is stored.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr {

/// How to pull an image. Empty texts mean "as found": the host's platform, the usual places for
/// credentials.
struct PullOptions {
    std::string platform = {};        ///< "linux/arm64/v8"
    std::string tls_ca_file = {};     ///< PEM certificates to trust besides the system's
    bool plain_http = false;          ///< allowed for loopback registries only
    std::string auth_file = {};       ///< instead of the usual places
    std::uint32_t stall_seconds = 0;  ///< give up after so long without progress; 0: 300 s
    std::uint32_t retries = 5;        ///< after broken connections and server errors
    /// Asked often, from the pull's own thread; true ends the pull at once (Errc::interrupted).
    std::function<bool()> cancelled = {};
    /// A descriptor that becomes readable when the pull is to end (a signalfd, an eventfd); -1:
    /// none.
    int cancel_fd = -1;
};

enum class PullPhase : std::uint8_t {
    resolving,    ///< manifest and config; `text` says what
    downloading,  ///< bytes of the layer blob
    unpacking,    ///< bytes of the layer blob that are applied
    present,      ///< the layer was there before; nothing is downloaded
    waiting,      ///< `text` says for what: a retry, a rate limit
    finished,     ///< the image is stored under its reference
};
std::string_view name_of(PullPhase phase);

/// Counts never go back within a phase of a layer, and end at the total.
struct PullProgress {
    PullPhase phase = PullPhase::resolving;
    std::string layer = {};  ///< the blob's digest; empty when it is about the whole image
    std::uint64_t done = 0, total = 0;  ///< bytes
    std::string text = {};
};
using PullProgressFn = std::function<void(const PullProgress&)>;

/// One stored image, with all the names it has.
struct ImageSummary {
    std::string id = {};                       ///< digest of its configuration, "sha256:..."
    std::string digest = {};                   ///< digest of its manifest
    std::vector<std::string> references = {};  ///< "docker.io/library/busybox:latest"
    std::string created = {};                  ///< RFC 3339, as the image says; may be empty
    std::string platform = {};                 ///< "linux/amd64"
    std::uint64_t size = 0;                    ///< bytes of its blobs in the store
};

/// What removing an image did.
struct RemovedImage {
    std::vector<std::string> untagged = {};  ///< references
    std::vector<std::string> deleted = {};   ///< digests of blobs
};

}  // namespace knarr
