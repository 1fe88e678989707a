#pragma once
// Numbers of the on-disk format that the writer and the tests' reader share.
// Source: kernel fs/erofs/erofs_fs.h.

#include <cstddef>
#include <cstdint>
#include <string_view>

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
inline constexpr std::size_t kFirstInode = 1536;
/// How an inode's data lie.
inline constexpr unsigned kFlatPlain = 0, kFlatInline = 2, kChunkBased = 4;
inline constexpr std::uint16_t kExtended = 1;
inline constexpr std::uint16_t kChunkIndexes = 0x20;  // chunk format: entries of 8 bytes
inline constexpr std::size_t kChunkIndexBytes = 8;
inline constexpr unsigned kMaxChunkOrder = 31;  // log2 of blocks in a chunk
inline constexpr std::size_t kXattrHeaderBytes = 12;
inline constexpr std::size_t kMaxXattrArea = kXattrHeaderBytes + std::size_t{4} * (0xFFFF - 1);
inline constexpr std::size_t kDirentBytes = 12;

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

}  // namespace knarr::erofs
