#pragma once
// A layer in the making as a directory on the disk. An entry is only ever made in a directory that
// was opened beneath the root, under a name without "/", never over a link.

#include <map>
#include <set>
#include <unordered_map>

#include "layer/own_tree.h"

namespace knarr::layer {

/// What becomes of an image's devices. In a user namespace none can be made: podman and docker
/// leave them out there, and so do we; a container has its own /dev.
enum class Devices : std::uint8_t { made, left_out };

class DiskTree final : public OwnTree {
public:
    /// `root`: an empty directory, outlives this. The process's umask must be 0.
    explicit DiskTree(const sys::Fd& root, Devices devices = Devices::made)
        : root_(root), devices_(devices) {}

    Result<std::optional<OwnEntry>> find(const std::string& path) override;
    Result<bool> has_directory(const std::string& path) override;
    Result<Added> add_directory(const std::string& path, const Attributes& attributes) override;
    Result<> set_attributes(const std::string& path, const Attributes& attributes) override;
    Result<> make_directory(const std::string& path) override;
    Result<Added> add_file(const std::string& path,
                           const TarEntry& entry,
                           const Attributes& attributes,
                           TarReader& tar) override;
    Result<Added> add_special(const std::string& path,
                              const TarEntry& entry,
                              const Attributes& attributes) override;
    Result<Added> add_hard_link(const std::string& target, const std::string& path) override;
    Result<> add_whiteout(const std::string& path) override;
    Result<> copy_up(const std::string& path, const LowerFile& lower) override;
    Result<> remove(const std::string& path) override;
    Result<> finish() override;
    std::uint64_t skipped_xattrs() const override { return skipped_xattrs_; }

private:
    /// The directory that holds `path`, and its name there.
    struct Spot {
        const sys::Fd* dir = nullptr;  // valid until the next call
        std::string name;
    };
    Result<Spot> spot_of(const std::string& path);
    Result<const sys::Fd*> directory(const std::string& path);
    Result<sys::Fd> open_for_reading(const std::string& path) const;
    Result<> set_xattrs(const Attributes& attributes, const sys::Fd* file, const Spot& spot);

    /// Makes nothing, but remembers that there would be a device.
    Result<Added> leave_out(const Spot& spot, const std::string& path);

    const sys::Fd& root_;
    const Devices devices_;
    std::set<std::string, std::less<>> left_out_;           // paths of devices
    std::unordered_map<std::string, sys::Fd> directories_;  // opened before
    /// Of directories, to be set when nothing is made in them any more.
    std::map<std::string, timespec> times_;
    std::uint64_t skipped_xattrs_ = 0;
};

}  // namespace knarr::layer
