#pragma once
// The layer that is being made, as the rules in apply.cpp and view.cpp see it: a directory on the
// disk (disk_tree.h) or an EROFS image (erofs_tree.h). Paths are real ones: no part of them is a
// link, and the directory that an entry is added to is there.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "layer/tar.h"
#include "platform/file.h"

namespace knarr::layer {

/// What stands at a path.
struct OwnEntry {
    enum class Kind : std::uint8_t { directory, link, whiteout, other };
    Kind kind = Kind::other;
    std::string target;  // of a link
};

/// Owner, mode, time and attributes of an entry.
struct Attributes {
    std::uint32_t uid = 0, gid = 0;
    std::uint32_t mode = 0755;  // 07777
    std::int64_t mtime_s = 0;
    std::uint32_t mtime_ns = 0;
    std::vector<std::pair<std::string, std::string>> xattrs = {};
};

/// A file of a layer below, opened for reading.
struct LowerFile {
    const sys::Fd& file;
    std::uint64_t size = 0;
    Attributes attributes = {};
};

class OwnTree {
public:
    /// taken: something stands there; nothing was done.
    enum class Added : std::uint8_t { done, taken };

    virtual ~OwnTree() = default;

    virtual Result<std::optional<OwnEntry>> find(const std::string& path) = 0;
    /// Whether `path` is a directory that is reached without links.
    virtual Result<bool> has_directory(const std::string& path) = 0;

    virtual Result<Added> add_directory(const std::string& path, const Attributes& attributes) = 0;
    /// Of a directory that is there; "" is the root.
    virtual Result<> set_attributes(const std::string& path, const Attributes& attributes) = 0;
    /// A directory of root's with mode 0755 and whatever time.
    virtual Result<> make_directory(const std::string& path) = 0;
    /// Takes the entry's data from `tar`.
    virtual Result<Added> add_file(const std::string& path,
                                   const TarEntry& entry,
                                   const Attributes& attributes,
                                   TarReader& tar) = 0;
    /// A symbolic link, a device or a FIFO.
    virtual Result<Added> add_special(const std::string& path,
                                      const TarEntry& entry,
                                      const Attributes& attributes) = 0;
    /// One more name of a file that is no directory.
    virtual Result<Added> add_hard_link(const std::string& target, const std::string& path) = 0;
    /// A character device 0:0.
    virtual Result<> add_whiteout(const std::string& path) = 0;
    virtual Result<> copy_up(const std::string& path, const LowerFile& lower) = 0;
    /// With all below it.
    virtual Result<> remove(const std::string& path) = 0;

    /// When nothing more is added.
    virtual Result<> finish() = 0;
    /// Attributes that the kind of file cannot have.
    virtual std::uint64_t skipped_xattrs() const = 0;
};

}  // namespace knarr::layer
