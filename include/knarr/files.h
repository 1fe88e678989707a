#pragma once
// Files of containers and images, as a caller asks for them.

#include <cstdint>
#include <string>
#include <vector>

namespace knarr {

/// A path that one tree has otherwise than another.
struct FileChange {
    char kind = 'C';        ///< A added, C changed, D deleted
    std::string path = {};  ///< absolute, in the container or image
};

struct CopyRequest {
    std::string container = {};  ///< ID or name
    std::string inside = {};     ///< path in it; relative ones begin at its root
    std::string outside = {};    ///< path of the caller's; "-": a tar on stdin or stdout
    /// Another container (ID or name), or the same: `outside` is a path in that one, where the copy
    /// goes. Not for ordinary users.
    std::string to_container = {};
    bool into = false;  ///< from outside into the container
    bool keep_owner = false;
    bool follow_link = false;  ///< copy what a link at the end of the source leads to
};

/// An image whose files show in a directory of the host.
struct MountedImage {
    std::string id = {}, path = {};
    std::uint64_t mounts = 0;  ///< how often it was mounted and not unmounted
    std::vector<std::string> references = {};
};

enum class UnmountMode : std::uint8_t {
    one,    ///< takes back one mount; the last one unmounts
    all,    ///< unmounts however often it was mounted
    force,  ///< the same, also when something below it is in use
};

}  // namespace knarr
