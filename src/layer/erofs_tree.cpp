#include "layer/erofs_tree.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <unordered_set>

#include <sys/stat.h>

#include "core/limits.h"
#include "core/text.h"
#include "layer/inflate.h"
#include "layer/path.h"
#include "layer/tar_entry.h"
#include "platform/disk.h"
#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr std::uint64_t kBlock = erofs::kBlockBytes;
/// Loop devices and page caches work in pages: the data file has whole ones.
constexpr std::uint64_t kPage = 4096;
/// A sparse file is described by at most this many chunks or, if that is more, by chunks of a page.
constexpr std::uint64_t kUsualChunks = 1 << 14;
constexpr std::size_t kCopyBytes = 256 * size::kKiB;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

std::uint32_t block_at(std::uint64_t bytes) {
    // encode() refuses a device of 2^32 blocks, the layer's limit is far below.
    return static_cast<std::uint32_t>(bytes / kBlock);
}

}  // namespace

ErofsTree::ErofsTree(const sys::Fd& data, std::uint64_t tar_bytes)
    : data_(data), end_(round_up(tar_bytes, kPage)) {
    erofs::Inode root;
    root.mode = S_IFDIR | 0755;
    tree_.inodes.push_back(std::move(root));
}

std::optional<std::uint32_t> ErofsTree::number_of(const std::string& path) const {
    std::uint32_t number = 0;
    if (path.empty()) {
        return number;
    }
    for (const std::string_view part : split(path, '/')) {
        const erofs::Inode& inode = tree_.inodes[number];
        if (!S_ISDIR(inode.mode) || !inode.extra) {
            return std::nullopt;
        }
        const auto found = inode.extra->entries.find(std::string(part));
        if (found == inode.extra->entries.end()) {
            return std::nullopt;
        }
        number = found->second;
    }
    return number;
}

erofs::Inode* ErofsTree::at(const std::string& path) {
    const auto number = number_of(path);
    return number ? &tree_.inodes[*number] : nullptr;
}

Result<ErofsTree::Entries*> ErofsTree::parent_of(const std::string& path) {
    const std::string parent(split_last(path).parent);
    erofs::Inode* dir = at(parent);
    if (dir == nullptr || !S_ISDIR(dir->mode)) {
        return fail_errno(dir == nullptr ? ENOENT : ENOTDIR, "{}", printable(parent));
    }
    return &dir->more().entries;
}

Result<std::optional<OwnEntry>> ErofsTree::find(const std::string& path) {
    const erofs::Inode* inode = at(path);
    if (inode == nullptr) {
        return std::nullopt;
    }
    OwnEntry entry;
    if (S_ISDIR(inode->mode)) {
        entry.kind = OwnEntry::Kind::directory;
    } else if (S_ISLNK(inode->mode)) {
        entry.kind = OwnEntry::Kind::link;
        entry.target = inode->extra->target;
    } else if (S_ISCHR(inode->mode) && inode->device_major == 0 && inode->device_minor == 0) {
        entry.kind = OwnEntry::Kind::whiteout;
    }
    return entry;
}

Result<bool> ErofsTree::has_directory(const std::string& path) {
    const erofs::Inode* inode = at(path);
    return inode != nullptr && S_ISDIR(inode->mode);
}

erofs::Inode ErofsTree::make_inode(unsigned type, const Attributes& attributes) {
    erofs::Inode inode;
    inode.mode = static_cast<std::uint16_t>(type | attributes.mode);
    inode.uid = attributes.uid;
    inode.gid = attributes.gid;
    inode.mtime_s = attributes.mtime_s;
    inode.mtime_ns = attributes.mtime_ns;
    // Of two with one name the later one counts; there may be as many as a tar's header holds.
    std::unordered_map<std::string_view, std::size_t> places;
    for (const auto& [name, value] : attributes.xattrs) {
        // As every other file system has it.
        if (name.starts_with("user.") && type != S_IFREG && type != S_IFDIR) {
            ++skipped_xattrs_;
            continue;
        }
        auto& xattrs = inode.more().xattrs;
        if (const auto [place, is_new] = places.emplace(name, xattrs.size()); is_new) {
            xattrs.emplace_back(name, value);
        } else {
            xattrs[place->second].second = value;
        }
    }
    return inode;
}

Result<OwnTree::Added> ErofsTree::add(const std::string& path, erofs::Inode inode) {
    Entries& entries = *KNARR_TRY(parent_of(path));
    const auto number = static_cast<std::uint32_t>(tree_.inodes.size());
    if (!entries.emplace(split_last(path).name, number).second) {
        return Added::taken;
    }
    tree_.inodes.push_back(std::move(inode));
    return Added::done;
}

Result<> ErofsTree::make_directory(const std::string& path) {
    if (KNARR_TRY(add_directory(path, {})) == Added::taken) {
        return fail_errno(EEXIST, "{}", printable(path));
    }
    return {};
}

Result<OwnTree::Added> ErofsTree::add_directory(const std::string& path,
                                                const Attributes& attributes) {
    return add(path, make_inode(S_IFDIR, attributes));
}

Result<> ErofsTree::set_attributes(const std::string& path, const Attributes& attributes) {
    erofs::Inode* there = at(path);
    if (there == nullptr) {
        return fail_errno(ENOENT, "{}", printable(path));
    }
    erofs::Inode inode = make_inode(S_IFDIR, attributes);
    if (there->extra) {
        // Attributes that were there and are not set anew stay, as on a disk.
        std::unordered_set<std::string_view> newer;
        for (const auto& [name, value] : attributes.xattrs) {
            newer.insert(name);
        }
        for (auto& old : there->extra->xattrs) {
            if (!newer.contains(old.first)) {
                inode.more().xattrs.push_back(std::move(old));
            }
        }
        inode.more().entries = std::move(there->extra->entries);
    }
    *there = std::move(inode);
    return {};
}

Result<OwnTree::Added> ErofsTree::add_file(const std::string& path,
                                           const TarEntry& entry,
                                           const Attributes& attributes,
                                           TarReader& tar) {
    if (at(path) != nullptr) {
        return Added::taken;
    }
    erofs::Inode inode = make_inode(S_IFREG, attributes);
    inode.size = entry.size;
    const std::uint64_t data_at = tar.position();
    if (data_at % kBlock != 0) {
        return fail(Errc::internal, "data in the middle of a block");
    }
    // All of it must be there: what is missing at the end of the tar would read as zeros.
    KNARR_TRY(tar.skip_data());
    if (entry.sparse) {
        KNARR_TRY(place_sparse(entry, data_at, inode));
    } else if (entry.size != 0) {
        inode.first_block = block_at(data_at);
    }
    return add(path, std::move(inode));
}

Result<std::uint64_t> ErofsTree::append(std::uint64_t bytes) {
    const std::uint64_t begin = end_;
    end_ += round_up(bytes, kPage);
    KNARR_TRY(sys::set_size(data_, end_));
    return begin;
}

Result<> ErofsTree::copy(const sys::Fd& from,
                         std::uint64_t from_at,
                         std::uint64_t to,
                         std::uint64_t bytes) {
    buffer_.resize(kCopyBytes);
    while (bytes != 0) {
        const std::span<char> piece(buffer_.data(), std::min<std::uint64_t>(bytes, kCopyBytes));
        KNARR_TRY(sys::read_at(from, piece, from_at));
        if (std::ranges::any_of(piece, [](char c) { return c != '\0'; })) {
            KNARR_TRY(sys::write_all_at(data_, {piece.data(), piece.size()}, to));
        }
        from_at += piece.size();
        to += piece.size();
        bytes -= piece.size();
    }
    return {};
}

/// The device block of one chunk, [begin, end) of the file: in the tar where one run covers it and
/// begins with a block, else put together behind the tar.
Result<std::uint32_t> ErofsTree::fill_chunk(const TarEntry& entry,
                                            const std::vector<std::uint64_t>& stored_at,
                                            std::uint64_t begin,
                                            std::uint64_t end) {
    auto run = std::ranges::upper_bound(
        entry.runs, begin, {}, [](const SparseRun& r) { return r.offset + r.bytes; });
    if (run == entry.runs.end() || run->offset >= end) {
        return erofs::kHole;
    }
    const auto stored = [&](std::uint64_t offset) {
        return stored_at[static_cast<std::size_t>(run - entry.runs.begin())] + offset - run->offset;
    };
    if (run->offset <= begin && run->offset + run->bytes >= end && stored(begin) % kBlock == 0) {
        return block_at(stored(begin));
    }
    const std::uint64_t room = KNARR_TRY(append(end - begin));
    for (; run != entry.runs.end() && run->offset < end; ++run) {
        const std::uint64_t from = std::max(run->offset, begin);
        const std::uint64_t to = std::min(run->offset + run->bytes, end);
        KNARR_TRY(copy(data_, stored(from), room + from - begin, to - from));
    }
    return block_at(room);
}

Result<> ErofsTree::place_sparse(const TarEntry& entry,
                                 std::uint64_t data_at,
                                 erofs::Inode& inode) {
    if (entry.size == 0 || entry.runs.empty()) {
        return {};  // first_block says that it is a hole
    }
    std::vector<std::uint64_t> stored_at;  // of each run's data in the tar
    stored_at.reserve(entry.runs.size());
    for (const SparseRun& run : entry.runs) {
        stored_at.push_back(data_at);
        data_at += run.bytes;
    }
    unsigned bits = 12;
    while ((entry.size >> bits) >= kUsualChunks) {
        ++bits;
    }
    erofs::Extra& extra = inode.more();
    extra.chunk_bits = bits;
    const std::uint64_t chunk = std::uint64_t{1} << bits;
    for (std::uint64_t begin = 0; begin < entry.size; begin += chunk) {
        const std::uint64_t end = std::min(begin + chunk, entry.size);
        extra.chunks.push_back(KNARR_TRY(fill_chunk(entry, stored_at, begin, end)));
    }
    return {};
}

Result<OwnTree::Added> ErofsTree::add_special(const std::string& path,
                                              const TarEntry& entry,
                                              const Attributes& attributes) {
    const bool is_link = entry.type == EntryType::symlink;
    Attributes own = attributes;
    if (is_link) {
        own.mode = 0777;  // links have no other
    }
    const mode_t type = is_link ? S_IFLNK : special_type(entry.type);
    erofs::Inode inode = make_inode(type, own);
    if (is_link) {
        inode.more().target = entry.link_target;
    }
    inode.device_major = entry.device_major;
    inode.device_minor = entry.device_minor;
    return add(path, std::move(inode));
}

Result<OwnTree::Added> ErofsTree::add_hard_link(const std::string& target,
                                                const std::string& path) {
    const auto number = number_of(target);
    if (!number || S_ISDIR(tree_.inodes[*number].mode)) {
        return fail_errno(number ? EPERM : ENOENT, "link to {}", printable(target));
    }
    Entries& entries = *KNARR_TRY(parent_of(path));
    return entries.emplace(split_last(path).name, *number).second ? Added::done : Added::taken;
}

Result<> ErofsTree::add_whiteout(const std::string& path) {
    if (KNARR_TRY(add(path, make_inode(S_IFCHR, {.mode = 0}))) == Added::taken) {
        return fail_errno(EEXIST, "{}", printable(path));
    }
    return {};
}

Result<> ErofsTree::copy_up(const std::string& path, const LowerFile& lower) {
    erofs::Inode inode = make_inode(S_IFREG, lower.attributes);
    inode.size = lower.size;
    if (lower.size != 0) {
        const std::uint64_t room = KNARR_TRY(append(lower.size));
        KNARR_TRY(copy(lower.file, 0, room, lower.size));
        inode.first_block = block_at(room);
    }
    if (KNARR_TRY(add(path, std::move(inode))) == Added::taken) {
        return fail_errno(EEXIST, "{}", printable(path));
    }
    return {};
}

Result<> ErofsTree::remove(const std::string& path) {
    Entries& entries = *KNARR_TRY(parent_of(path));
    // Its inode is left out of the image when no other name leads to it.
    if (entries.erase(std::string(split_last(path).name)) == 0) {
        return fail_errno(ENOENT, "{}", printable(path));
    }
    return {};
}

Result<> ErofsTree::finish() {
    return sys::set_size(data_, end_);
}

Result<> ErofsTree::mark_opaque(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        erofs::Inode* dir = at(path);
        if (dir == nullptr || !S_ISDIR(dir->mode)) {
            return fail(Errc::internal, "{} is opaque and no directory", printable(path));
        }
        dir->more().xattrs.emplace_back(sys::kOverlayOpaque, "y");
    }
    return {};
}

Result<> ErofsTree::write(const sys::Fd& image, std::uint64_t max_bytes) {
    std::uint64_t left = max_bytes;
    KNARR_TRY(erofs::encode(tree_, {end_ / kBlock}, [&](std::string_view piece) -> Result<> {
        if (piece.size() > left) {
            return fail(Error{.code = Errc::limit_exceeded,
                              .message = fmt::format("what the layer's files are called and have "
                                                     "for attributes exceeds {} bytes, all that is "
                                                     "left of the image's limit",
                                                     max_bytes),
                              .hint = kPolicyHint});
        }
        left -= piece.size();
        return sys::write_all(image, piece);
    }));
    return {};
}

}  // namespace knarr::layer
