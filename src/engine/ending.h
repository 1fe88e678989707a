#pragma once
// The end of a container that a monitor watched.

#include <cstdint>
#include <optional>
#include <string>

#include "engine/context.h"
#include "engine/record.h"

namespace knarr::engine {

/// One run of a container: its process, which no other run has.
struct RunOf {
    ContainerId id;
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
};

/// Of one of whose processes the kernel killed some for want of memory: its limit and what it used.
/// Empty: it did not. While its cgroup still is.
std::string out_of_memory_text(const Record& record);

/// Notes in a record how its run ended, while its cgroup still is.
void note_end(Record& record, std::optional<int> code, const std::string& finished);

/// What became of a container at the end of a run.
enum class Ending : std::uint8_t {
    nothing,   // somebody has removed it or begun another run
    recorded,  // or removed, where it was to be
    restarts,  // it is to run again (restart.h)
};
/// Records how that run ended and removes its cgroup, or all of the container where it was to be
/// removed. Errors: wrong_state while somebody else works on the container.
Result<Ending> conclude_run(const Context& context,
                            const RunOf& run,
                            std::optional<int> code,
                            const std::string& finished);

/// Removes what a killed launcher left, of a container that ran before only its new run.
Result<> clear_killed_launch(const Context& context, const ContainerId& id);

}  // namespace knarr::engine
