#pragma once
// Offsets in files that outlive the process that moves bytes by them. They lie in a file's page
// that is shared memory: splice(2) and the like write the offset that they have come to into it
// before they return, and a SIGKILL takes effect only then. So whoever goes on after a kill knows
// how much was moved.
// Source: splice(2) "off_out"; mmap(2) MAP_SHARED; mlock(2), for the page to be there when the
// kernel writes to it.

#include <cstdint>
#include <span>

#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::sys {

class KeptOffsets {
public:
    /// Maps the first page of a file, all zero when it is new. Errors: no_space; io.
    static Result<KeptOffsets> map(const Fd& file);
    KeptOffsets() = default;
    KeptOffsets(KeptOffsets&& other) noexcept;
    KeptOffsets& operator=(KeptOffsets&& other) noexcept;
    KeptOffsets(const KeptOffsets&) = delete;
    KeptOffsets& operator=(const KeptOffsets&) = delete;
    ~KeptOffsets();

    /// One of them. What it has may be rubbish: others can have written to the file.
    std::int64_t& at(std::size_t index) const { return offsets_[index]; }

private:
    explicit KeptOffsets(std::span<std::int64_t> offsets) : offsets_(offsets) {}
    std::span<std::int64_t> offsets_;
};

}  // namespace knarr::sys
