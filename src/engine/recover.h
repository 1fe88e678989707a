#pragma once
// What is done about all containers at once. Whoever was killed where, and whether the machine was
// started anew meanwhile: each container comes to a state that its next verb can go on from.

#include <vector>

#include "engine/context.h"
#include "engine/record.h"
#include "knarr/upkeep.h"

namespace knarr::engine {

enum class Recovery : std::uint8_t {
    gentle,
    force,  // containers that nobody watches are ended, damaged records put aside
};

/// Whether this is what look() makes of a container without a record: an ID and nothing else.
inline bool is_empty_record(const Record& record) {
    return record.oci_version.empty();
}

/// Errors: those of reading the directories; what fails for one container is a step.
Result<std::vector<UpkeepStep>> recover(const Context& context,
                                        const std::string& data_root,
                                        Recovery recovery);
Result<std::vector<UpkeepStep>> clean_up(const Context& context,
                                         const std::string& data_root,
                                         const CleanupRequest& request);
/// Ends all containers side by side: stop signals, SIGKILL after `timeout`, or as soon as somebody
/// sends INT or TERM to us. They start again at the next recover(), as their policies say.
Result<std::vector<UpkeepStep>> shut_down(const Context& context,
                                          std::chrono::seconds timeout,
                                          int cancel_fd);

}  // namespace knarr::engine
