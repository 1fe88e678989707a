#pragma once

#include <string>
#include <variant>
#include <vector>

namespace knarr::bundle {

/// A directory that is the root file system as it stands.
struct DirRoot {
    std::string path;
};

/// An overlay over read-only layers, mounted inside the container's own mount namespace, so that
/// nothing is ever mounted on the host. Each container has its own upper and work directories.
struct OverlayRoot {
    std::vector<std::string> lowers;  // highest layer first, as overlayfs wants them
    std::string upper, work;          // both empty: a read-only root
    std::string merged;               // an empty directory to mount on
    /// The upper layer is thrown away with the container (--rm): the kernel need not sync it to
    /// disk at unmount. Source: overlayfs.rst "Volatile mount".
    bool discard = false;
};

/// A root file system to be mounted; nothing is mounted yet.
using RootFs = std::variant<DirRoot, OverlayRoot>;

}  // namespace knarr::bundle
