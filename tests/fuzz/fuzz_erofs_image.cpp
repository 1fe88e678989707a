// Any bytes as the stored image of a layer: refused, or a tree that can be put over itself and
// written again, to an image that is well-formed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "erofs/check.h"
#include "erofs/format.h"
#include "erofs/merge.h"

namespace {

namespace erofs = knarr::erofs;

constexpr std::uint64_t kDeviceBlocks = 1 << 20;

erofs::ReadAt reader_of(std::string_view image) {
    return [image](std::uint64_t at, std::span<char> into) -> knarr::Result<> {
        if (at > image.size() || image.size() - at < into.size()) {
            std::abort();  // nobody may ask for what is not there
        }
        std::ranges::copy(image.substr(at, into.size()), into.begin());
        return {};
    };
}

/// With the superblock that its bytes call for, so that what is behind it is looked at.
std::string with_head(std::string_view bytes) {
    std::string image(bytes);
    image.resize((image.size() + erofs::kBlockBytes - 1) / erofs::kBlockBytes * erofs::kBlockBytes);
    if (image.size() > erofs::first_inode(1) + erofs::kSuperOffset) {
        std::uint64_t inodes = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            inodes |= std::uint64_t{static_cast<unsigned char>(image[erofs::kSuperOffset + 16 + i])}
                      << (8 * i);
        }
        const std::string head =
            erofs::superblock(inodes, image.size() / erofs::kBlockBytes, {kDeviceBlocks});
        image.replace(erofs::kSuperOffset, head.size(), head);
    }
    return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string image = with_head({reinterpret_cast<const char*>(data), size});
    auto below = erofs::decode(image.size(), {kDeviceBlocks}, reader_of(image));
    auto above = erofs::decode(image.size(), {kDeviceBlocks}, reader_of(image));
    if (below.has_value() != above.has_value()) {
        std::abort();
    }
    if (!below) {
        return 0;
    }
    erofs::put_over(*below, *std::move(above), 1);
    erofs::drop_marks(*below);
    std::string merged;
    const erofs::Devices devices{kDeviceBlocks, kDeviceBlocks};
    const auto written =
        erofs::encode(*below, devices, [&](std::string_view piece) -> knarr::Result<> {
            merged += piece;
            return {};
        });
    if (!written || !erofs::check(merged.size(), devices, reader_of(merged))) {
        std::abort();
    }
    return 0;
}
