// Any bytes as config.json: refused or decoded, and what is decoded survives a round trip.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "spec/runtime_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace spec = knarr::spec;
    const auto config = spec::decode_runtime_config({reinterpret_cast<const char*>(data), size});
    if (config) {
        const std::string encoded = spec::encode_runtime_config(*config);
        const auto again = spec::decode_runtime_config(encoded);
        if (!again || spec::encode_runtime_config(*again) != encoded) {
            std::abort();
        }
    }
    return 0;
}
