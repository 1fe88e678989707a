#pragma once
// Offsets in files that outlive the process that moves bytes by them. They lie in a file's page
// that is shared memory: splice(2) and the like write the offset that they have come to into it
// before they return, and a SIGKILL takes effect only then. So whoever goes on after a kill knows
// how much was moved. We read and write the file: touching the mapping of one that somebody cuts is
// a SIGBUS, and for the kernel no more than EFAULT.
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

    /// Where one of them lies, for the kernel alone to read and write.
    std::int64_t& for_kernel(std::size_t index) const { return offsets_[index]; }
    /// One of them. It may be rubbish: others can have written to the file. Errors: corrupt, when
    /// the file was cut; io.
    Result<std::int64_t> get(std::size_t index) const;
    /// Errors: no_space; io.
    Result<> set(std::size_t index, std::int64_t offset) const;

private:
    KeptOffsets(Fd file, std::span<std::int64_t> offsets)
        : file_(std::move(file)), offsets_(offsets) {}
    Fd file_;
    std::span<std::int64_t> offsets_;
};

}  // namespace knarr::sys
