#include "spec/wasm.h"

#include <algorithm>

#include "core/limits.h"
#include "spec/json_fields.h"

namespace knarr::spec {

bool is_wasm(const Manifest& manifest) {
    return !manifest.layers.empty() &&
           std::ranges::all_of(manifest.layers, [](const Descriptor& layer) {
               return is_wasm_layer(layer.media_type);
           });
}

bool is_wasm(const Platform& platform) {
    return platform.architecture == "wasm" || platform.architecture == "wasm32";
}

Result<ImageConfig> decode_wasm_config(std::string_view json) {
    const JsonSource source{.name = "Wasm config",
                            .failure = Errc::invalid_image,
                            .max_bytes = limits::kMaxImageConfigBytes};
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, source));
    const JsonValue root = document.root();
    ImageConfig out;
    KNARR_TRY(root.optional("os", out.platform.os));
    KNARR_TRY(root.optional("architecture", out.platform.architecture));
    KNARR_TRY(root.optional("created", out.created));
    KNARR_TRY(root.optional("author", out.author));
    return out;
}

Result<ImageConfig> decode_config_of(const Manifest& manifest, std::string_view json) {
    return is_wasm(manifest) ? decode_wasm_config(json) : decode_image_config(json);
}

}  // namespace knarr::spec
