#include "spec/image.h"

#include <algorithm>

#include "spec/json_fields.h"

namespace knarr::spec {

Result<Digest> Digest::parse(std::string_view text) {
    constexpr std::string_view kPrefix = "sha256:";
    constexpr std::size_t kHexDigits = 64;
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    const std::string_view hex = text.substr(std::min(kPrefix.size(), text.size()));
    if (!text.starts_with(kPrefix) || hex.size() != kHexDigits ||
        !std::ranges::all_of(hex, is_hex)) {
        return fail(Errc::invalid_image,
                    "\"{}\" is not a digest of the form sha256:<64 hex digits>",
                    printable(text, 80));
    }
    return Digest(std::string(text));
}

Digest Digest::of_sha256(std::string_view hex64) {
    return Digest(fmt::format("sha256:{}", hex64));
}

template <typename F>
void fields(F& f, Of<F, Platform>& m) {
    f.always("architecture", m.architecture);
    f.always("os", m.os);
    f.optional("os.version", m.os_version);
    f.optional("os.features", m.os_features);
    f.optional("variant", m.variant);
}

template <typename F>
void fields(F& f, Of<F, History>& m) {
    f.optional("created", m.created);
    f.optional("created_by", m.created_by);
    f.optional("author", m.author);
    f.optional("comment", m.comment);
    f.optional("empty_layer", m.empty_layer);
}

namespace {

constexpr std::string_view kDockerSchema1 = "application/vnd.docker.distribution.manifest.v1";

Result<Digest> read_digest(const JsonValue& value) {
    const std::string_view text = KNARR_TRY(value.string());
    Result<Digest> digest = Digest::parse(text);
    if (!digest) {
        return fail(value.error(digest.error().message));
    }
    return digest;
}

/// The digest that the member `name` of `object` holds.
Result<Digest> required_digest(const JsonValue& object, std::string_view name) {
    const std::optional<JsonValue> member = object.find(name);
    if (!member) {
        return fail(object.error_at(name, "is missing"));
    }
    return read_digest(*member);
}

Result<Descriptor> read_descriptor(const JsonValue& value) {
    KNARR_TRY(value.expect(JsonKind::object));
    Digest digest = KNARR_TRY(required_digest(value, "digest"));
    Descriptor out{.media_type = {},
                   .digest = std::move(digest),
                   .platform = {},
                   .annotations = {},
                   .artifact_type = {}};
    KNARR_TRY(value.required("mediaType", out.media_type));
    std::int64_t size = 0;
    KNARR_TRY(value.required("size", size));
    if (size < 0) {
        return fail(value.error_at("size", fmt::format("{} is negative", size)));
    }
    out.size = static_cast<std::uint64_t>(size);
    KNARR_TRY(value.optional("platform", out.platform));
    KNARR_TRY(value.optional("annotations", out.annotations));
    KNARR_TRY(value.optional("artifactType", out.artifact_type));
    return out;
}

/// The descriptors in the member `name`; null counts as none, as Go writes an empty list so.
Result<std::vector<Descriptor>> read_descriptors(const JsonValue& object, std::string_view name) {
    std::vector<Descriptor> out;
    const std::optional<JsonValue> list = object.find(name);
    if (list) {
        KNARR_TRY(list->expect(JsonKind::array));
        out.reserve(list->size());
        for (const auto& child : list->children()) {
            out.push_back(KNARR_TRY(read_descriptor(child.value)));
        }
    }
    return out;
}

bool is_manifest_type(std::string_view type) {
    return type == media::kOciManifest || type == media::kDockerManifest;
}

bool is_index_type(std::string_view type) {
    return type == media::kOciIndex || type == media::kDockerList;
}

/// Refuses what only Docker's schema 1 has.
Result<> refuse_schema_1(const JsonValue& root, std::string_view media_type) {
    std::uint64_t version = 2;
    KNARR_TRY(root.optional("schemaVersion", version));
    if (version == 1 || root.find("fsLayers") || media_type.starts_with(kDockerSchema1)) {
        return fail(root.error("this is Docker's schema 1, which has no image config")
                        .advise("push the image again with a tool from after 2017, for example "
                                "skopeo copy --format oci"));
    }
    if (version != 2) {
        return fail(root.error_at("schemaVersion", fmt::format("{} is not 2", version)));
    }
    return {};
}

/// Whether the document is an index, from the type it names, its members and what the registry
/// said. Errors: when these contradict each other.
Result<bool> is_index(const JsonValue& root, std::string_view own_type, std::string_view said) {
    const bool has_index_members = root.find("manifests").has_value();
    const bool has_manifest_members = root.find("config") || root.find("layers");
    if (has_index_members && has_manifest_members) {
        return fail(root.error("has the members of a manifest and of an index"));
    }
    if (!own_type.empty() && !is_manifest_type(own_type) && !is_index_type(own_type)) {
        return fail(root.error_at(
            "mediaType",
            fmt::format("\"{}\" is neither a manifest nor an index", printable(own_type, 100))));
    }
    const std::string_view type = own_type.empty() ? said : own_type;
    const bool index = is_index_type(type) || (!is_manifest_type(type) && has_index_members);
    if (is_index_type(type) && has_manifest_members) {
        return fail(root.error("is said to be an index, but has the members of a manifest"));
    }
    if (is_manifest_type(type) && has_index_members) {
        return fail(root.error("is said to be a manifest, but has the members of an index"));
    }
    if ((is_index_type(said) && !index) || (is_manifest_type(said) && index)) {
        return fail(root.error_at(
            "mediaType",
            fmt::format("\"{}\" contradicts the registry, which says {}", type, said)));
    }
    return index;
}

Result<Manifest> read_manifest(const JsonValue& root, std::string media_type) {
    const std::optional<JsonValue> config = root.find("config");
    if (!config) {
        return fail(root.error_at("config", "is missing"));
    }
    Descriptor config_blob = KNARR_TRY(read_descriptor(*config));
    Manifest out{.media_type = std::move(media_type),
                 .config = std::move(config_blob),
                 .layers = {},
                 .annotations = {},
                 .artifact_type = {}};
    if (const auto layers = root.find("layers"); layers && layers->size() > limits::kMaxLayers) {
        return fail(Errc::limit_exceeded,
                    "manifest: layers: {} are more than the limit of {}",
                    layers->size(),
                    limits::kMaxLayers);
    }
    out.layers = KNARR_TRY(read_descriptors(root, "layers"));
    KNARR_TRY(root.optional("annotations", out.annotations));
    KNARR_TRY(root.optional("artifactType", out.artifact_type));
    return out;
}

}  // namespace

Result<ManifestOrIndex> decode_manifest_or_index(std::string_view json,
                                                 std::string_view media_type) {
    const JsonSource source{
        .name = "manifest", .failure = Errc::invalid_image, .max_bytes = limits::kMaxManifestBytes};
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, source));
    const JsonValue root = document.root();
    KNARR_TRY(root.expect(JsonKind::object));

    std::string_view said = media_type.substr(0, media_type.find(';'));
    while (said.ends_with(' ')) {
        said.remove_suffix(1);
    }
    std::string own_type;
    KNARR_TRY(root.optional("mediaType", own_type));
    KNARR_TRY(refuse_schema_1(root, own_type.empty() ? said : own_type));

    // The type that the document has: its own word, else the registry's, else by its members.
    const bool index = KNARR_TRY(is_index(root, own_type, said));
    if (own_type.empty()) {
        const bool fits = index ? is_index_type(said) : is_manifest_type(said);
        own_type = fits ? said : index ? media::kOciIndex : media::kOciManifest;
    }
    ManifestOrIndex out;
    if (index) {
        Index& value = out.index.emplace();
        value.media_type = std::move(own_type);
        value.manifests = KNARR_TRY(read_descriptors(root, "manifests"));
        KNARR_TRY(root.optional("annotations", value.annotations));
    } else {
        out.manifest = KNARR_TRY(read_manifest(root, std::move(own_type)));
    }
    return out;
}

namespace {

/// A command: a list, or one text, as the oldest Docker images have it.
Result<> read_command(const JsonValue& object,
                      std::string_view name,
                      std::vector<std::string>& out) {
    const std::optional<JsonValue> member = object.find(name);
    if (member && member->kind() == JsonKind::string) {
        return read_json(*member, out.emplace_back());
    }
    return object.optional(name, out);
}

/// The names of the members of an object whose values do not matter ("80/tcp": {}), sorted.
Result<> read_keys(const JsonValue& object, std::string_view name, std::vector<std::string>& out) {
    const std::optional<JsonValue> member = object.find(name);
    if (member) {
        KNARR_TRY(member->expect(JsonKind::object));
        for (const auto& child : member->children()) {
            out.emplace_back(child.name);
        }
        std::ranges::sort(out);
    }
    return {};
}

Result<> read_healthcheck(const JsonValue& config, std::optional<ImageHealthcheck>& out) {
    const auto value = config.find("Healthcheck");
    if (!value) {
        return {};
    }
    ImageHealthcheck& check = out.emplace();
    KNARR_TRY(value->optional("Test", check.test));
    KNARR_TRY(value->optional("Interval", check.interval));
    KNARR_TRY(value->optional("Timeout", check.timeout));
    KNARR_TRY(value->optional("StartPeriod", check.start_period));
    KNARR_TRY(value->optional("StartInterval", check.start_interval));
    return value->optional("Retries", check.retries);
}

Result<> read_run_config(const JsonValue& value, ImageRunConfig& out) {
    KNARR_TRY(value.optional("User", out.user));
    KNARR_TRY(value.optional("Env", out.env));
    KNARR_TRY(read_command(value, "Entrypoint", out.entrypoint));
    KNARR_TRY(read_command(value, "Cmd", out.cmd));
    KNARR_TRY(value.optional("WorkingDir", out.working_dir));
    KNARR_TRY(value.optional("StopSignal", out.stop_signal));
    KNARR_TRY(read_keys(value, "ExposedPorts", out.exposed_ports));
    KNARR_TRY(read_keys(value, "Volumes", out.volumes));
    KNARR_TRY(value.optional("Labels", out.labels));
    return read_healthcheck(value, out.healthcheck);
}

Result<std::vector<Digest>> read_diff_ids(const JsonValue& root) {
    const std::optional<JsonValue> rootfs = root.find("rootfs");
    if (!rootfs) {
        return fail(root.error_at("rootfs", "is missing: this is not the config of an image"));
    }
    std::string type = "layers";
    KNARR_TRY(rootfs->optional("type", type));
    if (type != "layers") {
        return fail(
            rootfs->error_at("type", fmt::format("\"{}\" is not \"layers\"", printable(type, 60))));
    }
    std::vector<Digest> out;
    if (const std::optional<JsonValue> list = rootfs->find("diff_ids")) {
        KNARR_TRY(list->expect(JsonKind::array));
        if (list->size() > limits::kMaxLayers) {
            return fail(Errc::limit_exceeded,
                        "image config: rootfs.diff_ids: {} are more than the limit of {}",
                        list->size(),
                        limits::kMaxLayers);
        }
        for (const auto& child : list->children()) {
            out.push_back(KNARR_TRY(read_digest(child.value)));
        }
    }
    return out;
}

}  // namespace

Result<ImageConfig> decode_image_config(std::string_view json) {
    const JsonSource source{.name = "image config",
                            .failure = Errc::invalid_image,
                            .max_bytes = limits::kMaxImageConfigBytes};
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, source));
    const JsonValue root = document.root();
    ImageConfig out;
    KNARR_TRY(read_json(root, out.platform));
    out.diff_ids = KNARR_TRY(read_diff_ids(root));
    KNARR_TRY(root.optional("created", out.created));
    KNARR_TRY(root.optional("author", out.author));
    KNARR_TRY(root.optional("history", out.history));
    if (const std::optional<JsonValue> config = root.find("config")) {
        KNARR_TRY(read_run_config(*config, out.config));
    }
    return out;
}

bool is_image_config(std::string_view media_type) {
    return media_type == media::kOciConfig || media_type == media::kDockerConfig;
}

bool is_wasm_layer(std::string_view media_type) {
    static constexpr std::array<std::string_view, 4> kModules{
        "application/wasm",
        "application/vnd.wasm.content.layer.v1+wasm",
        "application/vnd.module.wasm.content.layer.v1+wasm",
        "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"};
    return std::ranges::find(kModules, media_type) != kModules.end();
}

Result<Compression> layer_compression(std::string_view media_type) {
    struct Row {
        std::string_view base, gzip, zstd;
    };
    static constexpr std::array kRows{
        Row{"application/vnd.oci.image.layer.v1.tar", "+gzip", "+zstd"},
        Row{"application/vnd.oci.image.layer.nondistributable.v1.tar", "+gzip", "+zstd"},
        Row{"application/vnd.docker.image.rootfs.diff.tar", ".gzip", ".zstd"},
        Row{"application/vnd.docker.image.rootfs.foreign.diff.tar", ".gzip", ".zstd"},
    };
    for (const Row& row : kRows) {
        if (media_type.starts_with(row.base)) {
            const std::string_view rest = media_type.substr(row.base.size());
            if (rest.empty()) {
                return Compression::none;
            }
            if (rest == row.gzip) {
                return Compression::gzip;
            }
            if (rest == row.zstd) {
                return Compression::zstd;
            }
        }
    }
    std::unexpected<Error> error = fail(
        Errc::unsupported, "\"{}\" is not the media type of a layer", printable(media_type, 100));
    if (media_type.ends_with("+encrypted")) {
        error.error().hint = "the layer is encrypted: decrypt the image first";
    } else if (is_wasm_layer(media_type)) {
        error.error().hint = "an image consists of WebAssembly modules or of tars, not of both";
    }
    return error;
}

namespace {

void write_descriptor(JsonWriter& json, const Descriptor& value) {
    json.begin_object();
    json.member("mediaType", value.media_type);
    FieldWriter writer(json);
    writer.optional("artifactType", value.artifact_type);
    json.member("digest", value.digest.text());
    json.member("size", value.size);
    writer.optional("annotations", value.annotations);
    writer.optional("platform", value.platform);
    json.end_object();
}

void write_descriptors(JsonWriter& json,
                       std::string_view name,
                       const std::vector<Descriptor>& values) {
    json.key(name).begin_array();
    for (const Descriptor& value : values) {
        write_descriptor(json, value);
    }
    json.end_array();
}

}  // namespace

std::string encode_manifest(const Manifest& manifest) {
    JsonWriter json;
    FieldWriter writer(json);
    json.begin_object();
    json.member("schemaVersion", 2);
    writer.optional("mediaType", manifest.media_type);
    writer.optional("artifactType", manifest.artifact_type);
    json.key("config");
    write_descriptor(json, manifest.config);
    write_descriptors(json, "layers", manifest.layers);
    writer.optional("annotations", manifest.annotations);
    json.end_object();
    return std::move(json).text();
}

std::string encode_index(const Index& index) {
    JsonWriter json;
    FieldWriter writer(json);
    json.begin_object();
    json.member("schemaVersion", 2);
    writer.optional("mediaType", index.media_type);
    write_descriptors(json, "manifests", index.manifests);
    writer.optional("annotations", index.annotations);
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::spec
