#pragma once
// Where the time of an operation goes: `--debug` prints a line for each mark, with the microseconds
// since the program began and since the mark before it on the same side.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace knarr {

/// Who reached a mark: two processes work at the same time during a launch.
enum class TraceSide : std::uint8_t { parent, child };

/// Marks in memory that cloned children share; they go into the first free place and are never
/// moved. Without memory (the normal case) a mark costs one comparison.
class Trace {
public:
    static constexpr std::size_t kBytes = 16U << 10U;

    /// `memory`: kBytes, zeroed, shared with processes that are cloned later; outlives the trace.
    void open(void* memory) noexcept;

    /// What is behind us now. Marks beyond what the memory holds are dropped.
    void mark(std::string_view what, TraceSide side = TraceSide::parent) noexcept;

    /// "parent      412 us      +35  write the record", by time.
    std::vector<std::string> lines() const;

private:
    struct Page;
    Page* page_ = nullptr;
};

/// The one trace of this process; like the clock of the machine it is no parameter of everything.
Trace& trace();

}  // namespace knarr
