#pragma once
// Image manifests, indexes and configurations as plain values: OCI image-spec 1.1 and Docker's
// schema 2 in one shape.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::spec {

/// A content digest that cannot exist unchecked: "sha256:" and 64 lower-case hex digits.
class Digest {
public:
    /// Errors: invalid_image for anything else ("sha256:../x", upper case, other algorithms).
    static Result<Digest> parse(std::string_view text);
    static Digest of_sha256(std::string_view hex64);  // hex64 must be 64 hex digits

    const std::string& text() const { return text_; }                           // "sha256:ab..."
    std::string_view hex() const { return std::string_view(text_).substr(7); }  // "ab..."
    auto operator<=>(const Digest&) const = default;

private:
    explicit Digest(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

struct Platform {
    std::string os;            // "linux"
    std::string architecture;  // GOARCH: "amd64"
    std::string variant;       // "v8"; may be empty
    std::string os_version;
    std::vector<std::string> os_features;
};

struct Descriptor {
    std::string media_type;
    Digest digest;
    std::uint64_t size = 0;
    std::optional<Platform> platform;
    std::map<std::string, std::string> annotations;
    std::string artifact_type;
};

struct Manifest {
    std::string media_type;
    Descriptor config;
    std::vector<Descriptor> layers;  // lowest first
    std::map<std::string, std::string> annotations;
    std::string artifact_type;
};

struct Index {
    std::string media_type;
    std::vector<Descriptor> manifests;
    std::map<std::string, std::string> annotations;
};

/// How a layer blob is compressed, from its media type.
enum class Compression : std::uint8_t { none, gzip, zstd };

struct History {
    std::string created, created_by, author, comment;
    bool empty_layer = false;
};

/// Docker's health check of an image. Times are nanoseconds; 0: not said.
/// Source: moby's image specification 1.2, "Healthcheck".
struct ImageHealthcheck {
    std::vector<std::string> test;  // {"NONE"}, {"CMD", ...}, {"CMD-SHELL", line}
    std::int64_t interval = 0, timeout = 0, start_period = 0, start_interval = 0;
    std::int64_t retries = 0;
};

/// The "config" object of an image: what to run.
struct ImageRunConfig {
    std::string user;
    std::vector<std::string> env, entrypoint, cmd;
    std::string working_dir, stop_signal;
    std::vector<std::string> exposed_ports, volumes;  // keys of the JSON objects, sorted
    std::map<std::string, std::string> labels;
    std::optional<ImageHealthcheck> healthcheck;
};

struct ImageConfig {
    Platform platform;
    std::string created, author;
    ImageRunConfig config;
    std::vector<Digest> diff_ids;  // of the uncompressed layers, lowest first
    std::vector<History> history;
};

namespace media {
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
}  // namespace media

/// A manifest or an index, told apart by mediaType or, where that is absent, by its members.
/// A document that could be read as both is refused (CVE-2021-41190).
struct ManifestOrIndex {
    std::optional<Manifest> manifest;
    std::optional<Index> index;
};

/// Errors of all: invalid_image with the JSON path; limit_exceeded past kMaxLayers and past
/// kMaxManifestBytes or kMaxImageConfigBytes.
/// `media_type` is what the registry said it is, with or without parameters; may be empty. It may
/// not contradict the document. Docker's schema 1 is refused with a hint.
Result<ManifestOrIndex> decode_manifest_or_index(std::string_view json,
                                                 std::string_view media_type);
/// The config blob must be one that is_image_config() knows: an artifact's may be anything.
Result<ImageConfig> decode_image_config(std::string_view json);

/// Whether a manifest's config is that of a container image, OCI's or Docker's. Others are
/// artifacts (Helm charts, signatures) or Wasm modules.
bool is_image_config(std::string_view media_type);
/// Whether a layer is a WebAssembly module itself rather than a tar.
bool is_wasm_layer(std::string_view media_type);

/// The compression of a layer's media type (OCI, Docker, nondistributable variants).
/// Errors: unsupported for a media type that is no layer tar.
Result<Compression> layer_compression(std::string_view media_type);

std::string encode_manifest(const Manifest& manifest);
std::string encode_index(const Index& index);

}  // namespace knarr::spec
