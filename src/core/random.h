#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace knarr {

/// Randomness, passed in so that tests can seed it.
class Random {
public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::byte> bytes) = 0;
};

/// The kernel's generator (getrandom).
Random& system_random();

/// 16 random hexadecimal digits, for a name that nobody else has.
std::string random_name();

/// A deterministic generator for tests and simulation (splitmix64).
class SeededRandom : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    void fill(std::span<std::byte> bytes) override;

private:
    std::uint64_t state_;
};

}  // namespace knarr
