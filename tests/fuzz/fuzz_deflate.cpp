// Any bytes as DEFLATE data: what zlib makes of them, or refused where zlib refuses them.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "layer/deflate.h"
#include "layer/testing_deflate.h"
#include "layer_input.h"

namespace {

constexpr std::size_t kMaxOut = 1 << 24;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    knarr::fuzz::Pieces source({reinterpret_cast<const char*>(data), size});
    knarr::layer::DeflateReader reader(source);
    reader.begin();
    std::optional<std::string> ours(std::in_place);
    while (ours->size() < kMaxOut) {
        const auto piece = reader.next();
        if (!piece) {
            ours.reset();
            break;
        }
        if (piece->empty()) {
            break;
        }
        *ours += *piece;
    }
    if (ours && ours->size() >= kMaxOut) {
        return 0;
    }
    if (ours !=
        knarr::layer::inflate_by_zlib({reinterpret_cast<const char*>(data), size}, kMaxOut)) {
        std::abort();
    }
    return 0;
}
