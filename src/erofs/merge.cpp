#include "erofs/merge.h"

#include <algorithm>
#include <utility>

#include <sys/stat.h>

#include "platform/xattr.h"

namespace knarr::erofs {

namespace {

bool is_dir(const Inode& inode) {
    return S_ISDIR(inode.mode);
}

bool is_whiteout(const Inode& inode) {
    return S_ISCHR(inode.mode) && inode.device_major == 0 && inode.device_minor == 0;
}

bool is_mark(const std::pair<std::string, std::string>& xattr) {
    return xattr.first == sys::kOverlayOpaque;
}

bool is_opaque(const Inode& inode) {
    return inode.extra && std::ranges::any_of(inode.extra->xattrs, is_mark);
}

/// The inodes of a tree behind those of another; the number of its root there.
std::uint32_t append(Tree& below, Tree upper, std::uint16_t device) {
    const auto shift = static_cast<std::uint32_t>(below.inodes.size());
    for (Inode& inode : upper.inodes) {
        inode.device = device;
        if (inode.extra) {
            for (auto& [name, number] : inode.extra->entries) {
                number += shift;
            }
        }
        below.inodes.push_back(std::move(inode));
    }
    return shift;
}

}  // namespace

void put_over(Tree& below, Tree upper, std::uint16_t device) {
    const std::uint32_t top = append(below, std::move(upper), device);
    if (top == 0) {
        return;
    }
    // A list, not a recursion: the depth is the image's choice.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> both{{0, top}};
    while (!both.empty()) {
        const auto [low, up] = both.back();
        both.pop_back();
        auto entries = std::move(below.inodes[low].more().entries);
        below.inodes[low] = std::move(below.inodes[up]);
        if (is_opaque(below.inodes[low])) {
            continue;  // it has its own entries, and no others
        }
        auto news = std::exchange(below.inodes[low].more().entries, {});
        for (const auto& [name, number] : news) {
            const auto old = entries.lower_bound(name);
            const bool there = old != entries.end() && old->first == name;
            const Inode& inode = below.inodes[number];
            if (there && is_dir(inode) && is_dir(below.inodes[old->second])) {
                both.emplace_back(old->second, number);
            } else if (there) {
                old->second = number;
            } else {
                entries.emplace_hint(old, name, number);
            }
        }
        below.inodes[low].more().entries = std::move(entries);
    }
}

void drop_marks(Tree& tree) {
    for (Inode& inode : tree.inodes) {
        if (!inode.extra) {
            continue;
        }
        std::erase_if(inode.extra->xattrs, is_mark);
        std::erase_if(inode.extra->entries,
                      [&](const auto& entry) { return is_whiteout(tree.inodes[entry.second]); });
    }
}

}  // namespace knarr::erofs
