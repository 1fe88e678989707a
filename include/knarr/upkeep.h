#pragma once
// All containers of a state directory at once: after a crash or a reboot, and before one.

#include <cstdint>
#include <string>
#include <string_view>

namespace knarr {

/// One thing that was done, or would be.
struct UpkeepStep {
    enum class Kind : std::uint8_t {
        restored,   ///< its record was lost in a reboot, and came back from its copy
        repaired,   ///< its record was damaged, and came back from its copy
        damaged,    ///< its record cannot be read, and there is no copy
        put_aside,  ///< such a record, with all its directory
        started,    ///< as its restart policy says
        adopted,    ///< it has monitors again
        concluded,  ///< it had ended while nobody looked
        cleared,    ///< what a killed launch left is gone
        ended,      ///< it ran without anybody who would learn its end
        removed,    ///< the container
        data,       ///< files of a container that does not exist, removed
        stopped,    ///< by its stop signal
        killed,     ///< it did not listen
        failed,     ///< `detail` says what
    };
    Kind kind = Kind::failed;
    std::string id = {};
    std::string detail = {};  ///< for people; may be empty
};
std::string_view name_of(UpkeepStep::Kind kind);

struct CleanupRequest {
    bool orphaned = false;  ///< what killed launches left; with force, containers nobody watches
    bool stopped = false;   ///< containers of images that have ended; with force, of bundles, too
    bool force = false;
    bool dry_run = false;  ///< say what would be removed, and remove nothing
};

}  // namespace knarr
