#pragma once
// What the targets that read layers share.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/text.h"
#include "layer/tar.h"

namespace knarr::fuzz {

/// Hands the input out in pieces of uneven size, as a decompressor would.
class Pieces : public layer::ByteSource {
public:
    explicit Pieces(std::string_view bytes) : left_(bytes) {}
    Result<std::string_view> next() override {
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
inline std::string with_checksums(std::string bytes) {
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

}  // namespace knarr::fuzz
