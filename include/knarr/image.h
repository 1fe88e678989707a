#pragma once
// Images as an embedder sees them: what to pull, how it goes, what is stored.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace knarr {

/// How to pull an image. Empty texts mean "as found": the host's platform, the usual places for
/// credentials.
struct PullOptions {
    std::string platform = {};     ///< "linux/arm64/v8"
    std::string tls_ca_file = {};  ///< PEM certificates to trust besides the system's
    bool plain_http = false;       ///< allowed for loopback registries only
    std::string auth_file = {};    ///< instead of the usual places
    bool tls_verify = true;        ///< false: any certificate will do, and none where no TLS is
    std::string cert_dir = {};     ///< *.crt to trust, *.cert and *.key to show; the usual places
    std::string hosts_dir = {};    ///< of containerd's HOST/hosts.toml; the usual place
    std::chrono::seconds stall_timeout{};  ///< give up after so long without progress; 0: 300 s
    std::chrono::seconds timeout{};        ///< for all of it together; 0: 24 hours
    std::uint32_t retries = 5;             ///< after broken connections and server errors
    /// In which form layers are kept: "erofs", "dir"; empty: the engine's, else what works best.
    std::string snapshot_driver = {};
    /// A descriptor that becomes readable when it is to end at once with Errc::interrupted (a
    /// signalfd, an eventfd); -1: none.
    int cancel_fd = -1;
};

/// A login for a registry, to be tried and kept.
struct LoginRequest {
    std::string registry = {};  ///< "r.io", "r.io/team"; empty: Docker Hub
    std::string username = {}, password = {};
    PullOptions options = {};  ///< how to speak with it; auth_file: where to keep it
    std::function<void(const std::string&)> notice = {};  ///< waits, retries, doubts
};

struct LoginReport {
    std::string registry = {};
    std::string place = {};  ///< the file or the helper program that keeps it, or did
};

enum class PullPhase : std::uint8_t {
    resolving,    ///< manifest and config; `text` says what
    downloading,  ///< bytes of the layer blob
    unpacking,    ///< bytes of the layer blob that are applied
    present,      ///< the layer was there before; nothing is downloaded
    waiting,      ///< `text` says for what: a retry, a rate limit
    uploading,    ///< bytes of the blob that went out
    uploaded,     ///< the registry has the blob; `text` says how it came to
    finished,     ///< the image is stored under its reference
};
std::string_view name_of(PullPhase phase);

/// Counts never go back within a phase of a layer, and end at the total.
struct PullProgress {
    PullPhase phase = PullPhase::resolving;
    std::string layer = {};  ///< the blob's digest; empty when it is about the whole image
    std::uint64_t done = 0, total = 0;  ///< bytes
    std::string text = {};
    std::string reference = {};  ///< of `finished`: the name that it is stored under
    std::string digest = {};     ///< of `finished`: of the manifest or index that has the name
    bool is_new = false;  ///< of `finished`: the name meant nothing, or another image, before
};
using PullProgressFn = std::function<void(const PullProgress&)>;

/// What to send to a registry.
struct PushRequest {
    std::string name = {};         ///< of a stored image
    std::string destination = {};  ///< empty: where its name says
    /// How to speak with the registry. With a platform one variant is pushed, not the index.
    PullOptions options = {};
    bool all_platforms = false;  ///< an index with variants that are not stored is an error
};

struct PushedImage {
    std::string reference = {};  ///< where it is now
    std::string digest = {};     ///< of the manifest or index that has the name
    std::uint64_t size = 0;      ///< of that manifest
    std::string tag = {};        ///< may be empty
};

/// A question to a registry, or an order.
struct RemoteRequest {
    std::string name = {};           ///< "r.io/team/app:1", also with "docker://" before it
    std::string artifact_type = {};  ///< of referrers: only these; empty: all
    PullOptions options = {};
    std::function<void(const std::string&)> notice = {};  ///< waits, retries, doubts
};

struct RemoteTags {
    std::string repository = {};
    std::vector<std::string> tags = {};
};

/// What has another manifest as its subject.
struct Referrer {
    std::string digest = {}, media_type = {}, artifact_type = {};
    std::uint64_t size = 0;
    std::map<std::string, std::string> annotations = {};
};

struct RemoteReferrers {
    std::string repository = {}, subject = {};
    std::vector<Referrer> referrers = {};
};

struct RemoteImage {
    std::string repository = {}, digest = {};
};

/// A manifest as a registry has it, and for what.
struct RemoteVariant {
    std::string reference = {};  ///< "r.io/app:1"; of a list's "r.io/app:1@sha256:..."
    std::string media_type = {}, digest = {};
    std::string text = {};                   ///< JSON, byte for byte
    std::string os = {}, architecture = {};  ///< empty: it does not say
    std::string variant = {}, os_version = {};
    std::vector<std::string> os_features = {};
};

struct RemoteManifest {
    std::string text = {};  ///< of the manifest or list that the name means, byte for byte
    bool is_list = false;   ///< an index, or docker's list
    std::vector<RemoteVariant> variants = {};  ///< where asked for: it, or what the list has
};

/// Whether each manifest of a list is fetched, and what a single one is for.
enum class RemoteDetail : std::uint8_t { text_only, variants };

/// One stored image, with all the names it has.
struct ImageSummary {
    std::string id = {};                         ///< digest of its configuration, "sha256:..."
    std::string digest = {};                     ///< digest of its manifest
    std::vector<std::string> references = {};    ///< "docker.io/library/busybox:latest"
    std::string created = {};                    ///< RFC 3339, as the image says; may be empty
    std::string platform = {};                   ///< "linux/amd64"
    std::uint64_t size = 0;                      ///< bytes of its blobs in the store
    std::vector<std::string> repo_tags = {};     ///< references with a tag as docker shows them
    std::vector<std::string> repo_digests = {};  ///< "busybox@sha256:..."
    std::map<std::string, std::string> labels = {};
};

/// What removing an image did.
struct RemovedImage {
    /// References, and "NAME@DIGEST" of repositories in which it has no tag any more.
    std::vector<std::string> untagged = {};
    std::vector<std::string> deleted = {};  ///< digests of blobs
    /// As docker tells it: its ID, then the chain IDs of its layers, the uppermost first.
    std::vector<std::string> gone = {};
};

/// One step of how an image was made, the newest first.
struct HistoryStep {
    std::string id = {};  ///< of the image for the newest step; else empty: docker's "<missing>"
    std::string created = {}, created_by = {}, comment = {};
    std::uint64_t size = 0;  ///< bytes of files in the unpacked layer, of the blob when it is not
    std::vector<std::string> tags = {};  ///< of the newest step
};

enum class ArchiveFormat : std::uint8_t { docker_archive, oci_archive, oci_dir };

struct SaveRequest {
    std::vector<std::string> names = {};
    ArchiveFormat format = ArchiveFormat::docker_archive;
    std::string path = {};  ///< a file, for oci_dir a directory; empty: standard output
};

/// An image that was read from an archive.
struct LoadedImage {
    std::string id = {}, reference = {};  ///< the reference may be a bare digest: it has no name
};

/// What a collection of garbage removed.
struct RemovedGarbage {
    std::uint64_t blobs = 0, layers = 0;
    std::uint64_t quarantined = 0;  ///< damaged blobs that had been put aside
    std::uint64_t bytes = 0;        ///< of blobs
};

/// Which images to remove.
struct PruneRequest {
    bool all = false;  ///< all that no container uses, not only those without a name
    /// Nothing: no further condition. For an ordinary user it is asked in a child of this process.
    std::function<bool(const ImageSummary&)> only = {};
};

struct PrunedImages {
    std::vector<std::string> untagged = {};  ///< as of RemovedImage
    std::vector<std::string> deleted = {};   ///< digests of blobs that images had
    std::vector<std::string> gone = {};      ///< as of RemovedImage, of all
    std::uint64_t bytes = 0;                 ///< what went, garbage included
};

/// Whether a verification puts damaged blobs aside, so that the next pull fetches them.
enum class DamagePolicy : std::uint8_t { quarantine, report };

/// A stored blob whose bytes are not what its name says, or one that is needed and not there.
struct BrokenBlob {
    std::string digest = {};
    std::uint64_t size = 0;                    ///< as found; 0 when it is missing
    std::string problem = {};                  ///< for people: "its bytes are sha256:..."
    std::vector<std::string> references = {};  ///< of the images that need it
};

struct VerifyReport {
    std::uint64_t blobs = 0, bytes = 0;  ///< that were read
    std::vector<BrokenBlob> damaged = {}, missing = {};
};

/// One line of what the store takes: `active` and the bytes besides `reclaimable` are used by
/// containers.
struct UsageLine {
    std::uint64_t total = 0, active = 0, bytes = 0, reclaimable = 0;
};

struct ImageUsage {
    ImageSummary image = {};
    std::uint64_t shared = 0, unique = 0;  ///< bytes of blobs that other images have too, or not
    std::uint64_t containers = 0;
};

struct StoreUsage {
    UsageLine images = {};   ///< blobs of images
    UsageLine layers = {};   ///< what is unpacked of them: bytes of file content
    UsageLine garbage = {};  ///< blobs that no image needs, and damaged ones that were put aside
    std::vector<ImageUsage> each = {};
};

}  // namespace knarr
