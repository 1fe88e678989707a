#pragma once
// Numbers of the on-disk format that the writer, the check and the tests' reader share.
// Source: kernel fs/erofs/erofs_fs.h.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "erofs/image.h"

namespace knarr::erofs {

inline constexpr std::size_t kSuperOffset = 1024, kSuperBytes = 128;
inline constexpr std::uint32_t kMagic = 0xE0F5E1E2;
inline constexpr std::uint32_t kCompatChecksum = 0x1, kCompatMtime = 0x2;
inline constexpr std::uint32_t kIncompatChunkedFile = 0x4, kIncompatDeviceTable = 0x8;
inline constexpr std::size_t kDeviceSlotBytes = 128;
/// The table of devices follows the superblock.
inline constexpr std::size_t kDeviceSlot = (kSuperOffset + kSuperBytes) / kDeviceSlotBytes;

inline constexpr std::size_t kInodeUnit = 32;   // an inode's number is its place in these
inline constexpr std::size_t kInodeBytes = 64;  // the extended form
/// Where the inodes begin: behind the table of devices, of which three fit in the superblock's
/// block.
constexpr std::size_t first_inode(std::size_t devices) {
    return std::max<std::size_t>(kSuperOffset + kBlockBytes,
                                 (kDeviceSlot + devices) * kDeviceSlotBytes);
}
/// How an inode's data lie.
inline constexpr unsigned kFlatPlain = 0, kFlatInline = 2, kChunkBased = 4;
inline constexpr std::uint16_t kExtended = 1;
inline constexpr std::uint16_t kChunkIndexes = 0x20;  // chunk format: entries of 8 bytes
inline constexpr std::size_t kChunkIndexBytes = 8;
inline constexpr unsigned kMaxChunkOrder = 31;  // log2 of blocks in a chunk
inline constexpr std::size_t kXattrHeaderBytes = 12;
inline constexpr std::size_t kMaxXattrArea = kXattrHeaderBytes + std::size_t{4} * (0xFFFF - 1);
inline constexpr std::size_t kDirentBytes = 12;

/// The file type that directory entries have for an st_mode; 0 for what no layer has.
unsigned dirent_type(std::uint64_t mode);

/// CRC-32C without the final inversion, as the superblock has it.
inline std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
        }
    }
    return crc;
}

/// Little-endian fields of a record of fixed size.
template <std::size_t N>
class Record {
public:
    void put(std::size_t at, std::uint64_t value, std::size_t bytes) {
        for (std::size_t i = 0; i < bytes; ++i) {
            data_[at + i] = static_cast<char>((value >> (8 * i)) & 0xFFU);
        }
    }
    std::string_view bytes() const { return {data_.data(), N}; }

private:
    std::array<char, N> data_{};
};

/// The superblock and the table of devices, as encode() writes them and check() wants them: all up
/// to the first inode, which is the root.
inline std::string superblock(std::uint64_t inodes, std::uint64_t blocks, const Devices& devices) {
    const std::size_t root = first_inode(devices.size());
    std::string table;
    for (const std::uint64_t device_blocks : devices) {
        Record<kDeviceSlotBytes> slot;
        slot.put(64, device_blocks, 4);
        table += slot.bytes();
    }
    table.resize(root - kSuperOffset - kSuperBytes);
    Record<kBlockBytes> head;  // as far as the checksum goes: to the end of the block
    head.put(0, kMagic, 4);
    head.put(8, kCompatChecksum | kCompatMtime, 4);
    head.put(12, kBlockBits, 1);
    head.put(14, root / kInodeUnit, 2);
    head.put(16, inodes, 8);
    head.put(36, blocks, 4);
    head.put(80, kIncompatChunkedFile | kIncompatDeviceTable, 4);
    head.put(86, devices.size(), 2);
    head.put(88, kDeviceSlot, 2);
    std::string out = std::string(head.bytes().substr(0, kSuperBytes)) + table;
    head.put(4, crc32c(~0U, std::string_view(out).substr(0, kBlockBytes)), 4);
    out.replace(0, kSuperBytes, head.bytes().substr(0, kSuperBytes));
    return out;
}

}  // namespace knarr::erofs
