#pragma once
// For tests: two trees on the disk, compared in all that an image can say of a tree.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <gtest/gtest.h>

#include "layer/driver.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/xattr.h"
#include "store/sha256.h"

namespace knarr::layer::testing_walk {

/// Everything about a tree that an image can say, one line per entry; hard links by their first
/// name, holes by the disk space that a file takes.
class Walk {
public:
    enum class Holes { compare, ignore };
    Walk(const std::string& root, Holes holes) : holes_(holes) {
        const sys::Fd dir = sys::open_path(root, O_RDONLY | O_DIRECTORY).value();
        entry(dir, ".", "");
        directory(dir, "");
    }
    std::vector<std::string> lines;

private:
    void directory(const sys::Fd& dir, const std::string& path) {
        const std::vector<std::string> names = sys::list_dir(dir).value();
        for (const std::string& name : names) {
            const std::string inner = path.empty() ? name : path + "/" + name;
            const auto info = sys::stat_at(dir, name).value();
            if (!info) {
                continue;  // overlayfs lists whiteouts in directories that only one layer has
            }
            entry(dir, name, inner);
            if (S_ISDIR(info->st_mode)) {
                directory(sys::open_at(dir, name, O_RDONLY | O_DIRECTORY).value(), inner);
            }
        }
    }
    void entry(const sys::Fd& dir, const std::string& name, const std::string& path) {
        const struct stat info = sys::stat_at(dir, name).value().value();
        std::string line = fmt::format("{} mode={:o} owner={}:{} mtime={}.{:09}",
                                       path,
                                       info.st_mode,
                                       info.st_uid,
                                       info.st_gid,
                                       info.st_mtim.tv_sec,
                                       info.st_mtim.tv_nsec);
        if (S_ISLNK(info.st_mode)) {
            line += " to=" + sys::read_link_at(dir, name).value();
        }
        if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
            line += fmt::format(" device={}:{}", major(info.st_rdev), minor(info.st_rdev));
        }
        if (S_ISREG(info.st_mode)) {
            const sys::Fd file = sys::open_at(dir, name, O_RDONLY).value();
            store::Sha256 sum;
            std::string buffer(1 << 16, '\0');
            while (const std::size_t got = sys::read_some(file, buffer).value()) {
                sum.update(std::string_view(buffer).substr(0, got));
            }
            line +=
                fmt::format(" size={} sum={} holes={}",
                            info.st_size,
                            sum.finish().hex().substr(0, 12),
                            holes_ == Holes::compare && info.st_blocks * 512 < info.st_size / 2);
            attributes(file, line);
            // Not by the count of links: overlayfs still counts names that it hides.
            const auto& first =
                first_names_.emplace(std::pair(info.st_dev, info.st_ino), path).first->second;
            if (first != path) {
                line += " same-as=" + first;
            }
        } else if (S_ISDIR(info.st_mode)) {
            attributes(sys::open_at(dir, name, O_RDONLY | O_DIRECTORY).value(), line);
        }
        lines.push_back(line);
    }
    static void attributes(const sys::Fd& file, std::string& line) {
        const auto all = sys::list_xattrs(file).value();
        for (const auto& [name, value] : all) {
            if (!name.starts_with("trusted.overlay.")) {
                line += fmt::format(" {}={}", name, store::sha256_of(value).hex().substr(0, 12));
            }
        }
    }
    Holes holes_;
    std::map<std::pair<dev_t, ino_t>, std::string> first_names_;
};

inline void expect_equal(const std::string& left, const std::string& right, Driver driver) {
    // An EROFS has holes, and does not tell of them in st_blocks.
    const auto holes = driver == Driver::dir ? Walk::Holes::compare : Walk::Holes::ignore;
    const Walk a(left, holes), b(right, holes);
    std::vector<std::string> differ;
    std::set_symmetric_difference(
        a.lines.begin(), a.lines.end(), b.lines.begin(), b.lines.end(), std::back_inserter(differ));
    EXPECT_GT(a.lines.size(), 1U);
    EXPECT_EQ(a.lines, b.lines) << fmt::format("{}", fmt::join(differ, "\n"));
}

}  // namespace knarr::layer::testing_walk
