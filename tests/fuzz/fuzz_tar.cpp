// Any bytes as a tar: read to the end or refused, within the bounds that the reader promises.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "layer/path.h"
#include "layer/tar.h"

namespace {

/// Hands the input out in pieces of uneven size, as a decompressor would.
class Pieces : public knarr::layer::ByteSource {
public:
    explicit Pieces(std::string_view bytes) : left_(bytes) {}
    knarr::Result<std::string_view> next() override {
        size_ = size_ * 7 % 1021 + 1;
        const std::string_view piece = left_.substr(0, size_);
        left_.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view left_;
    std::size_t size_ = 300;
};

/// The input with right checksums, without which no mutation gets past a header.
std::string with_checksums(std::string bytes) {
    for (std::size_t at = 0; at + 512 <= bytes.size(); at += 512) {
        if (bytes.compare(at + 257, 5, "ustar") != 0) {
            continue;
        }
        bytes.replace(at + 148, 8, "        ");
        unsigned sum = 0;
        for (std::size_t i = 0; i < 512; ++i) {
            sum += static_cast<unsigned char>(bytes[at + i]);
        }
        bytes.replace(at + 148, 7, fmt::format("{:06o}", sum) + '\0');
    }
    return bytes;
}

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes = with_checksums({reinterpret_cast<const char*>(data), size});
    Pieces source(bytes);
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
