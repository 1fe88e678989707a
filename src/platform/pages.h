#pragma once
// Memory by the page, which goes back to the kernel when it is not needed: for buffers of a process
// that mostly rests.

#include <cstddef>
#include <span>

#include "knarr/result.h"

namespace knarr::sys {

/// Costs memory only where it was written to.
/// Source: mmap(2), MAP_PRIVATE | MAP_ANONYMOUS.
class Pages {
public:
    /// Errors: sys_errno ENOMEM.
    static Result<Pages> map(std::size_t bytes);
    /// The same, in common with the processes that are cloned from then on (MAP_SHARED).
    static Result<Pages> map_shared(std::size_t bytes);
    Pages() = default;
    Pages(Pages&& other) noexcept;
    Pages& operator=(Pages&& other) noexcept;
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages();

    std::span<char> memory() const { return memory_; }
    /// Gives it back; what is read next is zero. Source: madvise(2), MADV_DONTNEED.
    void clear() const;

private:
    explicit Pages(std::span<char> memory) : memory_(memory) {}
    static Result<Pages> map_as(int flags, std::size_t bytes);
    std::span<char> memory_;
};

}  // namespace knarr::sys
