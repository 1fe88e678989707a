#include "sim/arena.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <sys/mman.h>

namespace knarr::sim {

namespace {

constexpr std::uintptr_t kPlace = 0x600000000000;
constexpr std::size_t kBytes = std::size_t{4} << 30U;  // of address space; used as it is needed
constexpr std::size_t kSmallest = 16;

struct Freed {
    Freed* next;
};
struct Arena {
    std::size_t used = 0;
    std::array<Freed*, 64> freed{};  // by the power of two of their size
};

Arena* arena = nullptr;

std::size_t rounded(std::size_t bytes) {
    return std::bit_ceil(bytes < kSmallest ? kSmallest : bytes);
}

}  // namespace

void reset_arena() {
    auto* place = reinterpret_cast<void*>(kPlace);
    if (arena == nullptr) {
        void* got = mmap(place,
                         kBytes,
                         PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                         -1,
                         0);
        if (got != place) {
            std::perror("map the arena of the simulation");
            std::abort();
        }
    } else if (arena->used > (std::size_t{64} << 20U)) {
        madvise(place, kBytes, MADV_REMOVE);  // a long run's memory is not kept
    }
    arena = new (place) Arena;
    arena->used = 4096;
}

bool is_in_arena(const void* memory) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    return address >= kPlace && address < kPlace + kBytes;
}

void* take(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    Freed*& freed = arena->freed[static_cast<std::size_t>(std::countr_zero(size))];
    if (freed != nullptr) {
        Freed* found = freed;
        freed = found->next;
        return found;
    }
    if (arena->used + size > kBytes) {
        std::fputs("the arena of the simulation is full\n", stderr);
        std::abort();
    }
    void* memory = reinterpret_cast<char*>(arena) + arena->used;
    arena->used += size;
    return memory;
}

void give_back(void* memory, std::size_t bytes) {
    Freed*& freed = arena->freed[static_cast<std::size_t>(std::countr_zero(rounded(bytes)))];
    freed = new (memory) Freed{freed};
}

}  // namespace knarr::sim
