// Any bytes as a tar: read to the end or refused, within the bounds that the reader promises.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "layer/path.h"
#include "layer/tar.h"
#include "layer_input.h"

namespace {

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes =
        knarr::fuzz::with_checksums({reinterpret_cast<const char*>(data), size});
    knarr::fuzz::Pieces source(bytes);
    knarr::layer::TarReader tar(source);
    while (true) {
        const auto entry = tar.next();
        if (!entry || !*entry) {
            return 0;
        }
        const knarr::layer::TarEntry& e = **entry;
        check(e.path.find('\0') == std::string::npos);
        check(e.link_target.find('\0') == std::string::npos);
        check(e.mode <= 07777 && e.mtime_ns < 1'000'000'000);
        if (const auto path = knarr::layer::normal_path(e.path)) {
            check(!path->starts_with('/') && !path->ends_with('/') &&
                  path->size() < knarr::limits::kMaxPathBytes && *path != "..");
        }
        std::uint64_t at = 0;
        std::uint64_t sum = 0;
        for (const knarr::layer::SparseRun& run : e.runs) {
            check(run.offset >= at && run.offset + run.bytes <= e.size);
            at = run.offset + run.bytes;
            sum += run.bytes;
        }
        check(!e.sparse || sum == e.stored_size);
        std::uint64_t got = 0;
        while (true) {
            const auto piece = tar.data();
            if (!piece) {
                return 0;
            }
            if (piece->empty()) {
                break;
            }
            got += piece->size();
        }
        check(got == e.stored_size);
    }
}
