// Any bytes as whatever a registry, an archive or a credentials file may hold, under several types
// that the registry may have said.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "spec/spec.h"

namespace spec = knarr::spec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::array<std::string_view, 4> types{
        "", spec::media::kOciManifest, spec::media::kDockerList, "text/html; charset=x"};
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const std::string_view type : types) {
        const auto decoded = spec::decode_manifest_or_index(text, type);
        if (!decoded) {
            continue;
        }
        if (decoded->manifest.has_value() == decoded->index.has_value()) {
            std::abort();  // exactly one of the two
        }
        const std::string encoded = decoded->manifest ? spec::encode_manifest(*decoded->manifest)
                                                      : spec::encode_index(*decoded->index);
        if (!spec::decode_manifest_or_index(encoded, "")) {
            std::abort();
        }
    }
    static_cast<void>(spec::decode_image_config(text));
    static_cast<void>(spec::decode_docker_archive(text));
    static_cast<void>(spec::check_oci_layout(text));
    static_cast<void>(spec::decode_token(text));
    static_cast<void>(spec::decode_registry_errors(text));
    static_cast<void>(spec::decode_credentials(text));
    return 0;
}
