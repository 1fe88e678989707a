// Any bytes as a container's record: refused or decoded, and what is decoded survives a round trip.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/record_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace engine = knarr::engine;
    const auto record = engine::decode_record({reinterpret_cast<const char*>(data), size});
    if (record) {
        const std::string encoded = engine::encode_record(*record);
        const auto again = engine::decode_record(encoded);
        if (!again || engine::encode_record(*again) != encoded) {
            std::abort();
        }
        static_cast<void>(engine::hook_state(*record, "created", record->pid));
    }
    return 0;
}
