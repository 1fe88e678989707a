#include "platform/pages.h"

#include <cerrno>
#include <utility>

#include <sys/mman.h>

namespace knarr::sys {

Result<Pages> Pages::map(std::size_t bytes) {
    return map_as(MAP_PRIVATE, bytes);
}

Result<Pages> Pages::map_shared(std::size_t bytes) {
    return map_as(MAP_SHARED, bytes);
}

Result<Pages> Pages::map_as(int flags, std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return fail_errno(errno, "mmap {} bytes", bytes);
    }
    return Pages(std::span(static_cast<char*>(memory), bytes));
}

Pages::Pages(Pages&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}

Pages& Pages::operator=(Pages&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
}

Pages::~Pages() {
    if (!memory_.empty()) {
        munmap(memory_.data(), memory_.size());
    }
}

void Pages::clear() const {
    // Advice that is not taken leaves the memory where it is.
    static_cast<void>(madvise(memory_.data(), memory_.size(), MADV_DONTNEED));
}

}  // namespace knarr::sys
