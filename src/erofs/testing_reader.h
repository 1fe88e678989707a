#pragma once
// For tests: reads an image back, believing nothing of it, as a kernel would have to.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "erofs/format.h"
#include "erofs/image.h"

namespace knarr::erofs::testing_reader {

/// What is read of one file.
struct File {
    std::uint64_t inode = 0;
    std::uint16_t mode = 0;
    std::uint32_t uid = 0, gid = 0, links = 0, device = 0, mtime_ns = 0;
    std::int64_t mtime_s = 0;
    std::uint64_t size = 0;
    std::string target;
    std::vector<std::pair<std::string, std::string>> xattrs;
    std::vector<std::uint32_t> blocks;   // of each chunk
    std::vector<std::uint64_t> devices;  // of each chunk, from 0
    unsigned chunk_bits = 0;
};

/// Reads a whole image; `problem` says what is wrong with it.
class Reader {
public:
    Reader(std::string_view image, Devices devices) : image_(image), devices_(std::move(devices)) {
        read();
    }
    Reader(std::string_view image, std::uint64_t device_blocks)
        : Reader(image, Devices{device_blocks}) {}

    std::string problem;                // empty: it is well-formed
    std::map<std::string, File> files;  // by path; "" is the root

private:
    static constexpr std::size_t kMaxFiles = 1 << 20;

    std::uint64_t number(std::uint64_t at, std::size_t bytes) {
        if (at > image_.size() || image_.size() - at < bytes) {
            wrong("a read beyond the end");
            return 0;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(image_[at + i])} << (8 * i);
        }
        return value;
    }
    std::string_view bytes(std::uint64_t at, std::uint64_t count) {
        if (at > image_.size() || image_.size() - at < count) {
            wrong("a read beyond the end");
            return {};
        }
        return image_.substr(at, count);
    }
    void wrong(const std::string& what) {
        if (problem.empty()) {
            problem = what;
        }
    }

    void read() {
        if (number(kSuperOffset, 4) != kMagic || number(kSuperOffset + 12, 1) != kBlockBits) {
            return wrong("no superblock");
        }
        std::string head(bytes(kSuperOffset, kBlockBytes));
        const std::uint64_t sum = number(kSuperOffset + 4, 4);
        head.replace(4, 4, 4, '\0');
        if (crc32c(~0U, head) != sum) {
            return wrong("the checksum");
        }
        if (number(kSuperOffset + 36, 4) * kBlockBytes != image_.size()) {
            return wrong("the count of blocks");
        }
        const std::uint64_t slot = number(kSuperOffset + 88, 2) * kDeviceSlotBytes;
        if (number(kSuperOffset + 86, 2) != devices_.size()) {
            return wrong("the count of devices");
        }
        for (std::size_t i = 0; i < devices_.size(); ++i) {
            if (number(slot + i * kDeviceSlotBytes + 64, 4) != devices_[i]) {
                return wrong("the table of devices");
            }
        }
        const std::uint64_t root = number(kSuperOffset + 14, 2);
        directory("", root, root);
        std::map<std::uint64_t, std::uint32_t> names;
        for (const auto& [path, file] : files) {
            ++names[file.inode];
        }
        for (const auto& [path, file] : files) {
            if (!S_ISDIR(file.mode) && file.links != names[file.inode]) {
                wrong("links of " + path);
            }
        }
        if (number(kSuperOffset + 16, 8) != names.size()) {
            wrong("the count of inodes");
        }
    }

    std::optional<File> inode(std::uint64_t nid, std::uint64_t& data_at, unsigned& layout) {
        const std::uint64_t at = nid * kInodeUnit;
        const auto format = static_cast<unsigned>(number(at, 2));
        if ((format & 1U) == 0) {
            wrong("a compact inode");
            return std::nullopt;
        }
        layout = format >> 1U;
        File file{.inode = nid,
                  .mode = static_cast<std::uint16_t>(number(at + 4, 2)),
                  .uid = static_cast<std::uint32_t>(number(at + 24, 4)),
                  .gid = static_cast<std::uint32_t>(number(at + 28, 4)),
                  .links = static_cast<std::uint32_t>(number(at + 44, 4)),
                  .device = static_cast<std::uint32_t>(number(at + 16, 4)),
                  .mtime_ns = static_cast<std::uint32_t>(number(at + 40, 4)),
                  .mtime_s = static_cast<std::int64_t>(number(at + 32, 8)),
                  .size = number(at + 8, 8)};
        const std::uint64_t count = number(at + 2, 2);
        std::uint64_t end = at + kInodeBytes;
        if (count != 0) {
            end += kXattrHeaderBytes + 4 * (count - 1);
            xattrs(at + kInodeBytes + kXattrHeaderBytes, end, file);
        }
        data_at = end;
        return problem.empty() ? std::optional(std::move(file)) : std::nullopt;
    }

    void xattrs(std::uint64_t at, std::uint64_t end, File& file) {
        static const std::map<std::uint64_t, std::string> kPrefixes{
            {1, "user."}, {2, "system.posix_acl_access"}, {4, "trusted."}, {6, "security."}};
        while (at < end && problem.empty()) {
            const std::uint64_t name = number(at, 1), value = number(at + 2, 2);
            const auto prefix = kPrefixes.find(number(at + 1, 1));
            if (prefix == kPrefixes.end() || at + 4 + name + value > end) {
                return wrong("an attribute");
            }
            file.xattrs.emplace_back(prefix->second + std::string(bytes(at + 4, name)),
                                     bytes(at + 4 + name, value));
            at = (at + 4 + name + value + 3) / 4 * 4;
        }
    }

    void directory(const std::string& path, std::uint64_t nid, std::uint64_t parent) {
        std::uint64_t data_at = 0;
        unsigned layout = 0;
        auto file = inode(nid, data_at, layout);
        if (!file || !S_ISDIR(file->mode) || layout != kFlatPlain || !seen_.insert(nid).second) {
            return wrong("the directory " + path);
        }
        const std::uint64_t begin = number(nid * kInodeUnit + 16, 4) * kBlockBytes;
        const std::uint64_t size = file->size;
        files[path] = *std::move(file);
        std::string last;
        bool dot = false, dots = false;
        std::uint32_t links = 2;
        for (std::uint64_t at = 0; at < size && problem.empty(); at += kBlockBytes) {
            const std::string_view block =
                bytes(begin + at, std::min<std::uint64_t>(kBlockBytes, size - at));
            const std::uint64_t count = number(begin + at + 8, 2) / kDirentBytes;
            if (count == 0 || count * kDirentBytes >= block.size()) {
                return wrong("a block of " + path);
            }
            for (std::uint64_t i = 0; i < count && problem.empty(); ++i) {
                const std::uint64_t entry = begin + at + i * kDirentBytes;
                const std::uint64_t from = number(entry + 8, 2);
                const std::uint64_t to =
                    i + 1 < count ? number(entry + kDirentBytes + 8, 2) : block.size();
                if (from >= to || to > block.size()) {
                    return wrong("a name in " + path);
                }
                std::string name(block.substr(from, to - from));
                if (i + 1 == count) {
                    name = name.substr(0, name.find('\0'));
                }
                if (name.empty() || name.find('/') != std::string::npos ||
                    name.find('\0') != std::string::npos || (!last.empty() && !(last < name))) {
                    return wrong("the order of names in " + path);
                }
                last = name;
                const std::uint64_t child = number(entry, 8);
                if (name == "." || name == "..") {
                    (name == "." ? dot : dots) = true;
                    if (child != (name == "." ? nid : parent)) {
                        wrong("the dots of " + path);
                    }
                    continue;
                }
                const auto type = static_cast<unsigned>(number(entry + 10, 1));
                links += type == 2 ? 1 : 0;
                member(path.empty() ? name : std::string(path).append("/").append(name),
                       child,
                       type,
                       nid);
            }
        }
        if (!dot || !dots || files[path].links != links) {
            wrong("dots or links of " + path);
        }
    }

    void member(const std::string& path, std::uint64_t nid, unsigned type, std::uint64_t parent) {
        if (files.size() > kMaxFiles) {
            return wrong("too many files");
        }
        if (type == 2) {
            return directory(path, nid, parent);
        }
        std::uint64_t data_at = 0;
        unsigned layout = 0;
        auto file = inode(nid, data_at, layout);
        if (!file) {
            return;
        }
        static const std::map<unsigned, unsigned> kTypes{
            {1, S_IFREG}, {3, S_IFCHR}, {4, S_IFBLK}, {5, S_IFIFO}, {7, S_IFLNK}};
        const auto known = kTypes.find(type);
        if (known == kTypes.end() || (file->mode & S_IFMT) != known->second) {
            return wrong("the type of " + path);
        }
        if (S_ISLNK(file->mode)) {
            if (layout == kFlatInline &&
                data_at / kBlockBytes != (data_at + file->size - 1) / kBlockBytes) {
                return wrong("a target over two blocks, " + path);
            }
            file->target = bytes(
                layout == kFlatInline ? data_at : number(nid * kInodeUnit + 16, 4) * kBlockBytes,
                file->size);
        } else if (S_ISREG(file->mode) && file->size != 0) {
            chunks(nid, data_at, layout, *file);
        }
        files[path] = *std::move(file);
    }

    void chunks(std::uint64_t nid, std::uint64_t at, unsigned layout, File& file) {
        const std::uint64_t format = number(nid * kInodeUnit + 16, 2);
        if (layout != kChunkBased || (format & kChunkIndexes) == 0) {
            return wrong("the layout of a file");
        }
        file.chunk_bits = kBlockBits + static_cast<unsigned>(format & 0x1FU);
        at = (at + 7) / 8 * 8;
        const std::uint64_t chunk = std::uint64_t{1} << file.chunk_bits;
        for (std::uint64_t begin = 0; begin < file.size && problem.empty(); begin += chunk) {
            const std::uint64_t block = number(at + 4, 4);
            const std::uint64_t count =
                (std::min(chunk, file.size - begin) + kBlockBytes - 1) / kBlockBytes;
            const std::uint64_t device = number(at + 2, 2);
            if (block != kHole &&
                (device == 0 || device > devices_.size() || block + count > devices_[device - 1])) {
                return wrong("a chunk beyond the device");
            }
            file.devices.push_back(block == kHole ? 0 : device - 1);
            file.blocks.push_back(static_cast<std::uint32_t>(block));
            at += kChunkIndexBytes;
        }
    }

    std::string_view image_;
    Devices devices_;
    std::set<std::uint64_t> seen_;
};

}  // namespace knarr::erofs::testing_reader
