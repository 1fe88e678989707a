#pragma once
// What `ps` shows of a container besides its state, and filters by: mounts, network, size. Read
// from what inspect() says, and so only where somebody asks for it. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::cli {

struct ContainerDetails {
    std::vector<std::string> sources;  ///< of its mounts: a volume's name, a path of the host
    std::vector<std::string> targets;  ///< in the container
    std::size_t volumes = 0;
    std::vector<std::string> exposed;                        ///< ports, "80/tcp"
    std::string image_id;                                    ///< "sha256:..."; of a bundle: empty
    std::string network;                                     ///< "none", "host"
    std::optional<std::uint64_t> written_bytes, root_bytes;  ///< with Sizes::shown

    /// "12kB (virtual 4.3MB)", as docker has it; empty where sizes were left out.
    std::string size_text() const;
};

/// Errors: corrupt.
Result<ContainerDetails> read_details(std::string_view inspected);

}  // namespace knarr::cli
