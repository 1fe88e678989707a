// From the beginning to the end, as encode() writes: the inodes one after the other, then the
// blocks of directories in the same order. Parents come before their directories.
#include "erofs/check.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include "erofs/format.h"
#include "erofs/image.h"

namespace knarr::erofs {

namespace {

constexpr std::uint64_t kWindowBytes = std::uint64_t{64} * 1024;
constexpr std::uint64_t kMaxTarget = 4095;  // PATH_MAX

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

/// A little-endian number in a record.
std::uint64_t number(std::string_view record, std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        value |= std::uint64_t{static_cast<unsigned char>(record[at + i])} << (8 * i);
    }
    return value;
}

bool is_zero(std::string_view bytes) {
    return std::ranges::all_of(bytes, [](char c) { return c == '\0'; });
}

constexpr unsigned kDirType = 2;

/// An inode, as far as names depend on it.
struct Found {
    std::uint64_t at = 0;
    std::uint64_t parent = 0;    // of a directory: where its parent is; 0: not named yet
    std::uint64_t data = 0;      // of a directory: where its blocks are
    std::uint64_t bytes = 0;     // of them
    std::uint32_t links = 0;     // as it says
    std::uint32_t names = 0;     // that lead to it
    std::uint32_t children = 0;  // of a directory: directories in it
    unsigned type = 0;
};

/// `tree`: where what is seen is kept, the inodes in the order of their places; may be null.
class Checker {
public:
    Checker(std::uint64_t image_bytes, const Devices& devices, const ReadAt& read, Tree* tree)
        : image_bytes_(image_bytes),
          devices_(devices),
          first_inode_(first_inode(devices.size())),
          read_(read),
          tree_(tree) {}

    Result<> run() {
        const std::uint64_t blocks = image_bytes_ / kBlockBytes;
        if (image_bytes_ % kBlockBytes != 0 || blocks >= kHole) {
            return bad(image_bytes_, "its size");
        }
        if (devices_.empty() || devices_.size() > kMaxDevices ||
            std::ranges::max(devices_) >= kHole) {
            return bad(kSuperOffset, "its devices");
        }
        KNARR_TRY(find_inodes());
        for (std::size_t i = 0; i < found_.size(); ++i) {
            if (found_[i].type == kDirType) {
                KNARR_TRY(check_directory(i));
            }
        }
        for (const Found& one : found_) {
            const std::uint64_t links =
                one.type == kDirType ? 2 + std::uint64_t{one.children} : one.names;
            if (one.names == 0 || one.links != links) {
                return bad(one.at, "the count of its names");
            }
        }
        if (!is_zero(KNARR_TRY(bytes(0, kSuperOffset)))) {
            return bad(0, "what is before the superblock");
        }
        const std::string head = superblock(found_.size(), blocks, devices_);
        if (KNARR_TRY(bytes(kSuperOffset, head.size())) != head) {
            return bad(kSuperOffset, "the superblock");
        }
        return {};
    }

private:
    static Error wrong(std::uint64_t at, std::string_view what) {
        return Error{.code = Errc::corrupt,
                     .message = fmt::format("no EROFS image of knarr's: at byte {}: {}", at, what)};
    }
    static std::unexpected<Error> bad(std::uint64_t at, std::string_view what) {
        return fail(wrong(at, what));
    }

    /// Valid until the next call. `count`: at most kWindowBytes.
    Result<std::string_view> bytes(std::uint64_t at, std::uint64_t count) {
        if (at > image_bytes_ || image_bytes_ - at < count) {
            return bad(at, "what lies beyond the end");
        }
        if (at < window_at_ || at + count > window_at_ + window_.size()) {
            window_.resize(std::min(kWindowBytes, image_bytes_ - at));
            window_at_ = at;
            KNARR_TRY(read_(at, window_));
        }
        return std::string_view(window_).substr(at - window_at_, count);
    }

    Result<> find_inodes() {
        std::uint64_t at = first_inode_, end = image_bytes_;
        while (at < end) {
            if (end - at < kInodeBytes || number(KNARR_TRY(bytes(at, 2)), 0, 2) == 0) {
                // Left out, so that a link's target lies in one block; or the last block's rest.
                at = round_up(at + 1, kBlockBytes);
                continue;
            }
            if (found_.size() == kMaxInodes) {
                return bad(at, "too many inodes");
            }
            at = round_up(KNARR_TRY(check_inode(at)), kInodeUnit);
            if (found_.size() == 1) {
                // The root's own blocks are the first ones.
                if (found_[0].type != kDirType) {
                    return bad(first_inode_, "the root");
                }
                end = found_[0].data;
            }
        }
        if (found_.empty() || at > end) {
            return bad(at, "inodes among the blocks");
        }
        blocks_at_ = end;
        return {};
    }

    /// Where it ends, with what belongs to it.
    Result<std::uint64_t> check_inode(std::uint64_t at) {
        const std::string_view record = KNARR_TRY(bytes(at, kInodeBytes));  // until more is read
        const std::uint64_t format = number(record, 0, 2), size = number(record, 8, 8);
        const auto layout = static_cast<unsigned>(format >> 1U);
        const auto where = static_cast<std::uint32_t>(number(record, 16, 4));
        Found one{.at = at,
                  .links = static_cast<std::uint32_t>(number(record, 44, 4)),
                  .type = dirent_type(number(record, 4, 2))};
        constexpr std::uint64_t kSecond = 1'000'000'000;
        if ((format & kExtended) == 0 || one.type == 0 || number(record, 6, 2) != 0 ||
            number(record, 40, 4) >= kSecond || !is_zero(record.substr(48))) {
            return bad(at, "an inode");
        }
        keep_inode(record);
        std::uint64_t end = at + kInodeBytes;
        if (const std::uint64_t count = number(record, 2, 2); count != 0) {
            const std::uint64_t area = end;
            end += kXattrHeaderBytes + 4 * (count - 1);
            KNARR_TRY(check_xattrs(area, end));
        }
        switch (one.type) {
            case 1:
                end = KNARR_TRY(check_file(end, layout, where, size));
                break;
            case kDirType:
                one.data = std::uint64_t{where} * kBlockBytes;
                one.bytes = size;
                one.parent = found_.empty() ? at : 0;
                one.names = found_.empty() ? 1 : 0;
                if (layout != kFlatPlain || size == 0 || !has_blocks(where, size)) {
                    return bad(at, "a directory's blocks");
                }
                break;
            case 7:
                end = KNARR_TRY(check_target(end, layout, where, size));
                break;
            default:
                if (layout != kFlatPlain || size != 0) {
                    return bad(at, "a special file");
                }
        }
        found_.push_back(one);
        return end;
    }

    /// From here on kept() is this one.
    void keep_inode(std::string_view record) {
        if (tree_ == nullptr) {
            return;
        }
        const auto field = [&](std::size_t at) {
            return static_cast<std::uint32_t>(number(record, at, 4));
        };
        Inode inode;
        inode.mode = static_cast<std::uint16_t>(number(record, 4, 2));
        inode.uid = field(24);
        inode.gid = field(28);
        inode.mtime_s = static_cast<std::int64_t>(number(record, 32, 8));
        inode.mtime_ns = field(40);
        if (S_ISREG(inode.mode)) {
            inode.size = number(record, 8, 8);
        } else if (S_ISCHR(inode.mode) || S_ISBLK(inode.mode)) {
            // Source: kernel include/linux/kdev_t.h, new_decode_dev().
            const std::uint32_t device = field(16);
            inode.device_major = (device >> 8U) & 0xFFFU;
            inode.device_minor = (device & 0xFFU) | ((device >> 12U) & 0xFFF00U);
        }
        tree_->inodes.push_back(std::move(inode));
    }
    Inode& kept() { return tree_->inodes.back(); }

    bool has_blocks(std::uint32_t block, std::uint64_t size) const {
        const std::uint64_t at = std::uint64_t{block} * kBlockBytes;
        return at > first_inode_ && at <= image_bytes_ && size <= image_bytes_ - at;
    }

    Result<> check_xattrs(std::uint64_t at, std::uint64_t end) {
        if (!is_zero(KNARR_TRY(bytes(at, kXattrHeaderBytes)))) {
            return bad(at, "shared attributes");
        }
        at += kXattrHeaderBytes;
        constexpr std::size_t kHeader = 4;
        while (at < end) {
            const std::string_view header = KNARR_TRY(bytes(at, kHeader));
            const std::uint64_t name = number(header, 0, 1), value = number(header, 2, 2);
            const std::uint64_t index = number(header, 1, 1);
            const bool is_prefix = index == 1 || index == 4 || index == 6;
            const bool is_acl = index == 2 || index == 3;
            if (at + kHeader + name + value > end || !(is_prefix ? name != 0 : is_acl) ||
                (is_acl && name != 0)) {
                return bad(at, "an attribute");
            }
            if (KNARR_TRY(bytes(at + kHeader, name)).find('\0') != std::string_view::npos) {
                return bad(at, "an attribute's name");
            }
            if (tree_ != nullptr) {
                std::string full(xattr_prefix(static_cast<std::uint8_t>(index)));
                full += KNARR_TRY(bytes(at + kHeader, name));
                kept().more().xattrs.emplace_back(std::move(full),
                                                  KNARR_TRY(bytes(at + kHeader + name, value)));
            }
            at = round_up(at + kHeader + name + value, 4);
        }
        return at == end ? Result<>{} : bad(at, "attributes longer than their place");
    }

    Result<std::uint64_t> check_file(std::uint64_t at,
                                     unsigned layout,
                                     std::uint32_t where,
                                     std::uint64_t size) {
        if (size == 0) {
            return layout == kFlatPlain ? Result<std::uint64_t>(at) : bad(at, "an empty file");
        }
        const unsigned order = where & kMaxChunkOrder;
        if (layout != kChunkBased || where != (order | kChunkIndexes) ||
            size > static_cast<std::uint64_t>(INT64_MAX)) {
            return bad(at, "a file's layout");
        }
        at = round_up(at, kChunkIndexBytes);
        const std::uint64_t chunk = kBlockBytes << order;
        std::uint64_t first_device = 0;  // all of a file is on one, for a tree knows no other
        for (std::uint64_t begin = 0; begin < size; at += kChunkIndexBytes) {
            const std::string_view index = KNARR_TRY(bytes(at, kChunkIndexBytes));
            const std::uint64_t device = number(index, 2, 2), block = number(index, 4, 4);
            const std::uint64_t here = std::min(chunk, size - begin);
            const std::uint64_t needed = round_up(here, kBlockBytes) / kBlockBytes;
            const bool inside = device != 0 && device <= devices_.size() &&
                                (first_device == 0 || device == first_device) &&
                                block + needed <= devices_[device - 1];
            if (number(index, 0, 2) != 0 || !(block == kHole ? device == 0 : inside)) {
                return bad(at, "a file beyond the device");
            }
            first_device = block == kHole ? first_device : device;
            keep_chunk(size <= chunk, order, device, static_cast<std::uint32_t>(block));
            begin += here;
        }
        return at;
    }

    void keep_chunk(bool is_only, unsigned order, std::uint64_t device, std::uint32_t block) {
        if (tree_ == nullptr) {
            return;
        }
        if (device != 0) {
            kept().device = static_cast<std::uint16_t>(device - 1);
        }
        if (is_only) {
            kept().first_block = block;
        } else {
            kept().more().chunk_bits = order + kBlockBits;
            kept().more().chunks.push_back(block);
        }
    }

    Result<std::uint64_t> check_target(std::uint64_t at,
                                       unsigned layout,
                                       std::uint32_t where,
                                       std::uint64_t size) {
        const bool is_inline = layout == kFlatInline;
        if (size == 0 || size > kMaxTarget || (!is_inline && layout != kFlatPlain) ||
            (is_inline ? at / kBlockBytes != (at + size - 1) / kBlockBytes
                       : !has_blocks(where, size))) {
            return bad(at, "a link's target");
        }
        const std::uint64_t begin = is_inline ? at : std::uint64_t{where} * kBlockBytes;
        const std::string_view target = KNARR_TRY(bytes(begin, size));
        if (target.find('\0') != std::string_view::npos) {
            return bad(at, "a link's target");
        }
        if (tree_ != nullptr) {
            kept().more().target = target;
        }
        return is_inline ? at + size : at;
    }

    Result<> check_directory(std::size_t which) {
        const Found dir = found_[which];
        if (dir.parent == 0 || dir.data < blocks_at_) {
            return bad(dir.at, "a directory that its parent does not name");
        }
        std::string last;
        unsigned dots = 0;
        for (std::uint64_t done = 0; done < dir.bytes; done += kBlockBytes) {
            const std::uint64_t at = dir.data + done;
            const std::string block(
                KNARR_TRY(bytes(at, std::min<std::uint64_t>(kBlockBytes, dir.bytes - done))));
            const std::uint64_t count =
                block.size() < kDirentBytes ? 0 : number(block, 8, 2) / kDirentBytes;
            if (count == 0 || count * kDirentBytes >= block.size() ||
                number(block, 8, 2) % kDirentBytes != 0) {
                return bad(at, "a directory's block");
            }
            for (std::uint64_t i = 0; i < count; ++i) {
                const std::string_view name = name_of(block, i, count);
                if (name.empty() || name.size() > 255 || name <= last ||
                    name.find('/') != std::string_view::npos ||
                    name.find('\0') != std::string_view::npos) {
                    return bad(at, "a name in a directory");
                }
                last = name;
                dots += name == "." || name == ".." ? 1 : 0;
                KNARR_TRY(
                    check_entry(which, name, std::string_view(block).substr(i * kDirentBytes)));
            }
        }
        return dots == 2 ? Result<>{} : bad(dir.at, "a directory without dots");
    }

    /// Empty: there is none.
    static std::string_view name_of(std::string_view block, std::uint64_t i, std::uint64_t count) {
        const std::uint64_t from = number(block, i * kDirentBytes + 8, 2);
        const std::uint64_t to =
            i + 1 < count ? number(block, (i + 1) * kDirentBytes + 8, 2) : block.size();
        if (from < count * kDirentBytes || from >= to || to > block.size()) {
            return {};
        }
        const std::string_view name = block.substr(from, to - from);
        return i + 1 < count ? name : name.substr(0, name.find('\0'));
    }

    Result<> check_entry(std::size_t which, std::string_view name, std::string_view dirent) {
        Found& dir = found_[which];
        const std::uint64_t number_of_inode = number(dirent, 0, 8);
        const auto target =
            std::ranges::lower_bound(found_, number_of_inode * kInodeUnit, {}, &Found::at);
        if (number_of_inode > image_bytes_ || target == found_.end() ||
            target->at != number_of_inode * kInodeUnit || target->type != number(dirent, 10, 1) ||
            number(dirent, 11, 1) != 0) {
            return bad(dir.at, "an entry of a directory");
        }
        if (name == "." || name == "..") {
            return target->at == (name == "." ? dir.at : dir.parent) ? Result<>{}
                                                                     : bad(dir.at, "dots");
        }
        if (target->type == kDirType) {
            // So that there are no rings: it comes later, and has this one name.
            if (target->parent != 0 || target->at <= dir.at) {
                return bad(dir.at, "a directory with two names");
            }
            target->parent = dir.at;
            ++dir.children;
        }
        ++target->names;
        if (tree_ != nullptr) {
            auto& entries = tree_->inodes[which].more().entries;
            entries.emplace_hint(
                entries.end(), name, static_cast<std::uint32_t>(target - found_.begin()));
        }
        return {};
    }

    std::uint64_t image_bytes_;
    const Devices& devices_;
    std::uint64_t first_inode_;
    const ReadAt& read_;
    Tree* tree_;
    std::vector<Found> found_;  // by their place
    std::uint64_t blocks_at_ = 0;
    std::string window_;
    std::uint64_t window_at_ = 0;
};

}  // namespace

Result<> check(std::uint64_t image_bytes, const Devices& devices, const ReadAt& read) {
    return Checker(image_bytes, devices, read, nullptr).run();
}

Result<Tree> decode(std::uint64_t image_bytes, const Devices& devices, const ReadAt& read) {
    Tree tree;
    KNARR_TRY(Checker(image_bytes, devices, read, &tree).run());
    return tree;
}

}  // namespace knarr::erofs
