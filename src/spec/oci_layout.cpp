#include "spec/oci_layout.h"

#include <algorithm>

#include "core/text.h"
#include "spec/json_reader.h"

namespace knarr::spec {

Result<> check_oci_layout(std::string_view json) {
    const JsonSource source{.name = "oci-layout",
                            .failure = Errc::invalid_image,
                            .max_bytes = limits::kMaxManifestBytes};
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, source));
    std::string version;
    KNARR_TRY(document.root().required("imageLayoutVersion", version));
    if (!version.starts_with("1.")) {
        return fail(document.root().error_at(
            "imageLayoutVersion", fmt::format("\"{}\" is not 1.x", printable(version, 60))));
    }
    return {};
}

namespace {

/// Whether the name stays inside the archive: "abc/layer.tar", "blobs/sha256/...".
bool is_entry_name(std::string_view name) {
    const auto is_up = [](std::string_view part) { return part == ".."; };
    return !name.empty() && !name.starts_with('/') && std::ranges::none_of(split(name, '/'), is_up);
}

Result<DockerArchiveImage> read_image(const JsonValue& value) {
    DockerArchiveImage image;
    KNARR_TRY(value.required("Config", image.config));
    KNARR_TRY(value.optional("RepoTags", image.repo_tags));
    KNARR_TRY(value.optional("Layers", image.layers));
    if (image.layers.size() > limits::kMaxLayers) {
        return fail(Errc::limit_exceeded,
                    "manifest.json: {}.Layers: {} are more than the limit of {}",
                    value.path(),
                    image.layers.size(),
                    limits::kMaxLayers);
    }
    constexpr fmt::string_view kProblem = "\"{}\" is not the name of a file in the archive";
    if (!is_entry_name(image.config)) {
        return fail(value.error_at("Config", fmt::format(kProblem, printable(image.config, 60))));
    }
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
        if (!is_entry_name(image.layers[i])) {
            return fail(value.error_at(fmt::format("Layers[{}]", i),
                                       fmt::format(kProblem, printable(image.layers[i], 60))));
        }
    }
    return image;
}

}  // namespace

Result<std::vector<DockerArchiveImage>> decode_docker_archive(std::string_view json) {
    const JsonSource source{.name = "manifest.json",
                            .failure = Errc::invalid_image,
                            .max_bytes = limits::kMaxManifestBytes};
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, source));
    KNARR_TRY(document.root().expect(JsonKind::array));
    std::vector<DockerArchiveImage> images;
    for (const auto& child : document.root().children()) {
        images.push_back(KNARR_TRY(read_image(child.value)));
    }
    return images;
}

}  // namespace knarr::spec
