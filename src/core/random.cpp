#include "core/random.h"

#include <algorithm>
#include <cstdlib>

#include <sys/random.h>

#include <fmt/format.h>

namespace knarr {
namespace {

class SystemRandom : public Random {
public:
    void fill(std::span<std::byte> bytes) override {
        while (!bytes.empty()) {
            const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
            if (got < 0) {
                std::abort();  // cannot happen since Linux 3.17; guessable IDs would be worse
            }
            bytes = bytes.subspan(static_cast<std::size_t>(got));
        }
    }
};

}  // namespace

Random& system_random() {
    static SystemRandom random;
    return random;
}

std::string random_name() {
    std::uint64_t salt = 0;
    system_random().fill(std::as_writable_bytes(std::span(&salt, 1)));
    return fmt::format("{:016x}", salt);
}

void SeededRandom::fill(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        z ^= z >> 31;
        const std::size_t count = std::min(bytes.size(), sizeof z);
        for (std::size_t i = 0; i < count; ++i) {
            bytes[i] = static_cast<std::byte>(z >> (8 * i));
        }
        bytes = bytes.subspan(count);
    }
}

}  // namespace knarr
