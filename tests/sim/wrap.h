#pragma once
// How a call of the C library becomes one of the simulated kernel: `ld --wrap=NAME` sends it to
// __wrap_NAME, which outside of a simulation calls the real one.

#include <fmt/format.h>

#include "sim/real.h"
#include "sim/world.h"

namespace knarr::sim {
/// A result in the type of whichever function returns it.
struct Outcome {
    long value;
    template <class T>
    operator T() const {  // NOLINT(google-explicit-constructor)
        return static_cast<T>(value);
    }
};
}  // namespace knarr::sim

// The C library's names, and the linker's. NOLINTBEGIN(bugprone-reserved-identifier)
#define SIM_WRAP(result, name, parameters, arguments)     \
    static long sim_##name parameters;                    \
    extern "C" result __real_##name parameters;           \
    extern "C" result __wrap_##name parameters;           \
    result __wrap_##name parameters {                     \
        if (knarr::sim::self == nullptr) {                \
            return __real_##name arguments;               \
        }                                                 \
        return static_cast<result>(sim_##name arguments); \
    }                                                     \
    static long sim_##name parameters
// NOLINTEND(bugprone-reserved-identifier)

#define SIM_ENTER(name, fault, ...)                                                             \
    if (const int failed_ =                                                                     \
            knarr::sim::begin_call(name, fmt::format(__VA_ARGS__), knarr::sim::Fault::fault)) { \
        return knarr::sim::Outcome{knarr::sim::end_call(-failed_)};                             \
    }
