#pragma once
// Images of WebAssembly modules: manifests like those of containers, whose layers are no tars.

#include <string_view>

#include "spec/image.h"

namespace knarr::spec {

namespace media {
/// Source: the CNCF's "Wasm OCI Artifact layout".
inline constexpr std::string_view kWasmConfig = "application/vnd.wasm.config.v0+json";
}  // namespace media

/// Whether a manifest's layers are modules. Its config may be a container's, or kWasmConfig, which
/// has neither a root file system nor a command. Modules among tars are none of it.
bool is_wasm(const Manifest& manifest);

/// Whether an image for this platform runs a module: "wasip1/wasm", and the older "wasi/wasm". Its
/// layers may be tars.
bool is_wasm(const Platform& platform);

/// A config of such an image, of either type; without diff IDs, as nothing of it is unpacked.
/// Errors: as decode_image_config().
Result<ImageConfig> decode_wasm_config(std::string_view json);

/// The config of either kind of image.
Result<ImageConfig> decode_config_of(const Manifest& manifest, std::string_view json);

}  // namespace knarr::spec
