#pragma once
// Which seeds a test runs with, and how one that fails is replayed.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/simulation.h"

namespace knarr::sim {

/// The named ones 42 123 456 789 1000 and `fresh` others; $KNARR_SIM_SEED alone where it is set.
std::vector<std::uint64_t> seeds(std::size_t fresh);
/// As many of `fresh` as $KNARR_SIM_SCALE says, in percent.
std::size_t scaled(std::size_t fresh);

/// The settings of a seed, with the trace to stderr where $KNARR_SIM_TRACE is set.
Settings settings_of(std::uint64_t seed);

/// How many calls on the next one is at which a process is killed: all of them with the seed 42 or
/// the one that is asked for, some with the others.
std::int64_t stride_of(std::uint64_t seed);

/// Runs the body with each seed until one fails, and says then how to replay that.
void with_seeds(std::size_t fresh, const std::function<void(std::uint64_t seed)>& body);

}  // namespace knarr::sim
