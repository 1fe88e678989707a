// Two passes: the first gives every inode its place, so that the second can write the image from
// beginning to end without going back.
//
//   0      zeros              1024  superblock, table of devices
//   then   inodes, each with its attributes and then its chunks or its link's target
//   then   blocks of directories and of links that do not fit behind their inode
#include "erofs/image.h"

#include <algorithm>
#include <array>

#include <sys/stat.h>

#include "erofs/format.h"

namespace knarr::erofs {

unsigned dirent_type(std::uint64_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG:
            return 1;
        case S_IFDIR:
            return 2;
        case S_IFCHR:
            return 3;
        case S_IFBLK:
            return 4;
        case S_IFIFO:
            return 5;
        case S_IFLNK:
            return 7;
        default:
            return 0;
    }
}

namespace {

constexpr std::size_t kFlushBytes = 1 << 20;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

constexpr std::uint64_t blocks_of(std::uint64_t bytes) {
    return round_up(bytes, kBlockBytes) / kBlockBytes;
}

bool is_dir(const Inode& inode) {
    return S_ISDIR(inode.mode);
}

std::size_t xattr_entry_bytes(const std::pair<std::string, std::string>& xattr) {
    return round_up(4 + split_xattr_name(xattr.first).rest.size() + xattr.second.size(), 4);
}

std::size_t xattr_area(const Inode& inode) {
    if (!inode.extra || inode.extra->xattrs.empty()) {
        return 0;
    }
    std::size_t bytes = kXattrHeaderBytes;
    for (const auto& xattr : inode.extra->xattrs) {
        bytes += xattr_entry_bytes(xattr);
    }
    return bytes;
}

Result<> check_xattrs(const Inode& inode) {
    if (!inode.extra) {
        return {};
    }
    for (const auto& [name, value] : inode.extra->xattrs) {
        const XattrName split = split_xattr_name(name);
        if (split.index == 0) {
            return fail(Errc::internal, "EROFS has no attributes named {}", name);
        }
        if (split.rest.size() > 255 || value.size() >= kMaxXattrValue) {
            return fail(Errc::limit_exceeded,
                        "the attribute {} has {} bytes, fewer than {} are allowed",
                        name.substr(0, 64),
                        value.size(),
                        kMaxXattrValue);
        }
    }
    if (xattr_area(inode) > kMaxXattrArea) {
        return fail(Errc::limit_exceeded,
                    "a file's attributes have {} bytes, EROFS takes at most {}",
                    xattr_area(inode),
                    kMaxXattrArea);
    }
    return {};
}

/// One name of a directory, as it is written.
struct Dirent {
    std::string_view name;
    std::uint32_t inode = 0;
};

/// All names with "." and "..", in the order of their bytes, in groups that fill one block each.
/// `visit(group, bytes)`: the bytes that the group takes.
template <typename Visit>
void for_each_block(std::uint32_t self, std::uint32_t parent, const Extra* extra, Visit visit) {
    std::vector<Dirent> group;
    std::size_t used = 0;
    const auto add = [&](std::string_view name, std::uint32_t inode) {
        if (used + kDirentBytes + name.size() > kBlockBytes) {
            visit(group, used);
            group.clear();
            used = 0;
        }
        group.push_back({.name = name, .inode = inode});
        used += kDirentBytes + name.size();
    };
    const std::array<Dirent, 2> dots{{{".", self}, {"..", parent}}};
    std::size_t next_dot = 0;
    if (extra != nullptr) {
        for (const auto& [name, inode] : extra->entries) {
            while (next_dot < dots.size() && dots[next_dot].name < name) {
                add(dots[next_dot].name, dots[next_dot].inode);
                ++next_dot;
            }
            add(name, inode);
        }
    }
    for (; next_dot < dots.size(); ++next_dot) {
        add(dots[next_dot].name, dots[next_dot].inode);
    }
    visit(group, used);
}

/// log2 of a chunk's blocks: one chunk holds the whole of a file in one run.
unsigned chunk_order(const Inode& inode) {
    if (inode.extra && !inode.extra->chunks.empty()) {
        return inode.extra->chunk_bits - kBlockBits;
    }
    unsigned order = 0;
    while ((kBlockBytes << order) < inode.size) {
        ++order;
    }
    return order;
}

class Encoder {
public:
    Encoder(const Tree& tree, const Devices& devices, const Sink& sink)
        : tree_(tree), devices_(devices), sink_(sink), places_(tree.inodes.size()) {}

    Result<std::uint64_t> run() {
        if (tree_.inodes.empty() || !is_dir(tree_.inodes[0])) {
            return fail(Errc::internal, "a tree without a root");
        }
        if (devices_.empty() || devices_.size() > kMaxDevices) {
            return fail(Errc::internal, "{} devices", devices_.size());
        }
        KNARR_TRY(reach());
        if (order_.size() > kMaxInodes) {
            return fail(Errc::limit_exceeded, "the layer has more than {} files", kMaxInodes);
        }
        KNARR_TRY(lay_out());
        KNARR_TRY(write_head());
        for (const std::uint32_t number : order_) {
            KNARR_TRY(write_inode(number));
        }
        for (const std::uint32_t number : order_) {
            KNARR_TRY(write_blocks(number));
        }
        KNARR_TRY(pad_to(total_blocks_ * kBlockBytes));
        KNARR_TRY(flush());
        return total_blocks_ * kBlockBytes;
    }

private:
    struct Place {
        std::uint64_t offset = 0;       // of the inode; 0: not in the image
        std::uint64_t block_bytes = 0;  // of a directory, or of a link's target in blocks
        std::uint32_t block = 0;        // where those are
        std::uint32_t parent = 0, links = 0;
        bool target_inline = false;
    };

    /// Finds what the root leads to, and counts names.
    Result<> reach() {
        order_.push_back(0);
        places_[0].links = 2;
        for (std::size_t at = 0; at < order_.size(); ++at) {
            const std::uint32_t dir = order_[at];
            const Inode& inode = tree_.inodes[dir];
            if (!is_dir(inode) || !inode.extra) {
                continue;
            }
            for (const auto& [name, number] : inode.extra->entries) {
                if (number == 0 || number >= places_.size() || name.empty() || name.size() > 255) {
                    return fail(Errc::internal, "a directory with an impossible entry");
                }
                Place& place = places_[number];
                if (is_dir(tree_.inodes[number])) {
                    if (place.links != 0) {
                        return fail(Errc::internal, "a directory with two names");
                    }
                    place.links = 2;
                    place.parent = dir;
                    ++places_[dir].links;
                } else {
                    ++place.links;
                }
                if (place.links == 1 || is_dir(tree_.inodes[number])) {
                    order_.push_back(number);
                }
            }
        }
        return {};
    }

    Result<> lay_out() {
        std::uint64_t at = first_inode(devices_.size());
        for (const std::uint32_t number : order_) {
            const Inode& inode = tree_.inodes[number];
            Place& place = places_[number];
            KNARR_TRY(check_xattrs(inode));
            std::uint64_t bytes = kInodeBytes + xattr_area(inode);
            if (S_ISREG(inode.mode) && inode.size != 0) {
                KNARR_TRY(check_chunks(inode));
                bytes = round_up(bytes, kChunkIndexBytes) + kChunkIndexBytes * chunk_count(inode);
            } else if (S_ISLNK(inode.mode)) {
                if (!inode.extra || inode.extra->target.empty()) {
                    return fail(Errc::internal, "a link without a target");
                }
                // The kernel wants what is inline to lie in one block.
                place.target_inline = bytes + inode.extra->target.size() <= kBlockBytes;
                if (place.target_inline) {
                    bytes += inode.extra->target.size();
                    if (at % kBlockBytes + bytes > kBlockBytes) {
                        at = round_up(at, kBlockBytes);
                    }
                } else {
                    place.block_bytes = inode.extra->target.size();
                }
            } else if (is_dir(inode)) {
                for_each_block(number,
                               place.parent,
                               inode.extra.get(),
                               [&](const std::vector<Dirent>&, std::size_t used) {
                                   // All but the last are whole blocks.
                                   place.block_bytes =
                                       round_up(place.block_bytes, kBlockBytes) + used;
                               });
            }
            place.offset = at;
            at = round_up(at + bytes, kInodeUnit);
        }
        std::uint64_t block = blocks_of(at);
        for (const std::uint32_t number : order_) {
            Place& place = places_[number];
            place.block = static_cast<std::uint32_t>(block);
            block += blocks_of(place.block_bytes);
            if (block >= kHole || std::ranges::max(devices_) >= kHole) {
                return fail(Errc::limit_exceeded, "the layer has more than 2^32 blocks");
            }
        }
        total_blocks_ = block;
        return {};
    }

    static std::uint64_t chunk_count(const Inode& inode) {
        return inode.extra && !inode.extra->chunks.empty() ? inode.extra->chunks.size() : 1;
    }

    Result<> check_chunks(const Inode& inode) const {
        if (inode.device >= devices_.size()) {
            return fail(Errc::internal, "a file on a device that is not there");
        }
        const unsigned order = chunk_order(inode);
        const std::uint64_t chunk = kBlockBytes << order;
        if (order > kMaxChunkOrder ||
            chunk_count(inode) != inode.size / chunk + (inode.size % chunk != 0 ? 1 : 0)) {
            return fail(Errc::internal, "a file whose chunks do not cover it");
        }
        for (std::uint64_t i = 0; i < chunk_count(inode); ++i) {
            const std::uint64_t first = chunk_block(inode, i);
            const std::uint64_t bytes = std::min(chunk, inode.size - i * chunk);
            if (first != kHole && first + blocks_of(bytes) > devices_[inode.device]) {
                return fail(Errc::internal, "a file beyond the end of the device");
            }
        }
        return {};
    }

    static std::uint32_t chunk_block(const Inode& inode, std::uint64_t chunk) {
        return inode.extra && !inode.extra->chunks.empty() ? inode.extra->chunks[chunk]
                                                           : inode.first_block;
    }

    Result<> put(std::string_view bytes) {
        buffer_ += bytes;
        at_ += bytes.size();
        return buffer_.size() < kFlushBytes ? Result<>{} : flush();
    }

    Result<> pad_to(std::uint64_t offset) {
        if (offset < at_) {
            return fail(Errc::internal, "the image's parts overlap");
        }
        buffer_.append(offset - at_, '\0');
        at_ = offset;
        return {};
    }

    Result<> flush() {
        KNARR_TRY(sink_(buffer_));
        buffer_.clear();
        return {};
    }

    Result<> write_head() {
        KNARR_TRY(pad_to(kSuperOffset));
        return put(superblock(order_.size(), total_blocks_, devices_));
    }

    Result<> write_inode(std::uint32_t number) {
        const Inode& inode = tree_.inodes[number];
        const Place& place = places_[number];
        KNARR_TRY(pad_to(place.offset));
        const std::size_t xattrs = xattr_area(inode);
        unsigned layout = kFlatPlain;
        std::uint64_t size = place.block_bytes;
        std::uint64_t where = place.block_bytes != 0 ? place.block : kHole;
        if (S_ISREG(inode.mode)) {
            size = inode.size;
            if (size != 0) {
                layout = kChunkBased;
                where = chunk_order(inode) | kChunkIndexes;
            }
        } else if (place.target_inline) {
            layout = kFlatInline;
            size = inode.extra->target.size();
        } else if (S_ISCHR(inode.mode) || S_ISBLK(inode.mode)) {
            // Source: kernel include/linux/kdev_t.h, new_encode_dev().
            where = (inode.device_minor & 0xFFU) | (inode.device_major << 8U) |
                    ((inode.device_minor & ~0xFFU) << 12U);
        } else if (S_ISFIFO(inode.mode)) {
            where = 0;
        }
        Record<kInodeBytes> out;
        out.put(0, kExtended | (layout << 1U), 2);
        out.put(2, xattrs == 0 ? 0 : 1 + (xattrs - kXattrHeaderBytes) / 4, 2);
        out.put(4, inode.mode, 2);
        out.put(8, size, 8);
        out.put(16, where, 4);
        out.put(20, ++serial_, 4);
        out.put(24, inode.uid, 4);
        out.put(28, inode.gid, 4);
        out.put(32, static_cast<std::uint64_t>(inode.mtime_s), 8);
        out.put(40, inode.mtime_ns, 4);
        out.put(44, place.links, 4);
        KNARR_TRY(put(out.bytes()));
        KNARR_TRY(write_xattrs(inode));
        if (layout == kFlatInline) {
            return put(inode.extra->target);
        }
        return layout == kChunkBased ? write_chunks(inode) : Result<>{};
    }

    Result<> write_xattrs(const Inode& inode) {
        if (xattr_area(inode) == 0) {
            return {};
        }
        KNARR_TRY(put(Record<kXattrHeaderBytes>().bytes()));  // none is shared
        for (const auto& xattr : inode.extra->xattrs) {
            const XattrName name = split_xattr_name(xattr.first);
            const std::uint64_t end = at_ + xattr_entry_bytes(xattr);
            Record<4> entry;
            entry.put(0, name.rest.size(), 1);
            entry.put(1, name.index, 1);
            entry.put(2, xattr.second.size(), 2);
            KNARR_TRY(put(entry.bytes()));
            KNARR_TRY(put(name.rest));
            KNARR_TRY(put(xattr.second));
            KNARR_TRY(pad_to(end));
        }
        return {};
    }

    Result<> write_chunks(const Inode& inode) {
        KNARR_TRY(pad_to(round_up(at_, kChunkIndexBytes)));
        for (std::uint64_t i = 0; i < chunk_count(inode); ++i) {
            const std::uint32_t block = chunk_block(inode, i);
            Record<kChunkIndexBytes> index;
            index.put(2, block == kHole ? 0 : inode.device + 1U, 2);
            index.put(4, block, 4);
            KNARR_TRY(put(index.bytes()));
        }
        return {};
    }

    Result<> write_blocks(std::uint32_t number) {
        const Inode& inode = tree_.inodes[number];
        const Place& place = places_[number];
        if (place.block_bytes == 0) {
            return {};
        }
        KNARR_TRY(pad_to(std::uint64_t{place.block} * kBlockBytes));
        if (!is_dir(inode)) {
            return put(inode.extra->target);
        }
        Result<> done;
        for_each_block(number,
                       place.parent,
                       inode.extra.get(),
                       [&](const std::vector<Dirent>& group, std::size_t) {
                           if (done) {
                               done = write_dirents(group);
                           }
                       });
        return done;
    }

    Result<> write_dirents(const std::vector<Dirent>& group) {
        KNARR_TRY(pad_to(round_up(at_, kBlockBytes)));
        std::size_t name_at = group.size() * kDirentBytes;
        for (const Dirent& dirent : group) {
            Record<kDirentBytes> out;
            out.put(0, places_[dirent.inode].offset / kInodeUnit, 8);
            out.put(8, name_at, 2);
            out.put(10, dirent_type(tree_.inodes[dirent.inode].mode), 1);
            KNARR_TRY(put(out.bytes()));
            name_at += dirent.name.size();
        }
        for (const Dirent& dirent : group) {
            KNARR_TRY(put(dirent.name));
        }
        return {};
    }

    const Tree& tree_;
    const Devices& devices_;
    const Sink& sink_;
    std::vector<Place> places_;         // by inode number
    std::vector<std::uint32_t> order_;  // inode numbers, from the root down
    std::uint64_t total_blocks_ = 0, at_ = 0;
    std::uint32_t serial_ = 0;
    std::string buffer_;
};

}  // namespace

namespace {

struct XattrPrefix {
    std::string_view text;
    std::uint8_t index;
    bool is_whole = false;  // the name has no more
};
constexpr std::array<XattrPrefix, 5> kXattrPrefixes{
    {{.text = "user.", .index = 1},
     {.text = "system.posix_acl_access", .index = 2, .is_whole = true},
     {.text = "system.posix_acl_default", .index = 3, .is_whole = true},
     {.text = "trusted.", .index = 4},
     {.text = "security.", .index = 6}}};

}  // namespace

XattrName split_xattr_name(std::string_view name) {
    for (const XattrPrefix& prefix : kXattrPrefixes) {
        if (name.starts_with(prefix.text) &&
            (name.size() == prefix.text.size()) == prefix.is_whole) {
            return {.index = prefix.index, .rest = name.substr(prefix.text.size())};
        }
    }
    return {};
}

std::string_view xattr_prefix(std::uint8_t index) {
    const auto found = std::ranges::find(kXattrPrefixes, index, &XattrPrefix::index);
    return found == kXattrPrefixes.end() ? std::string_view() : found->text;
}

Result<std::uint64_t> encode(const Tree& tree, const Devices& devices, const Sink& sink) {
    return Encoder(tree, devices, sink).run();
}

}  // namespace knarr::erofs
