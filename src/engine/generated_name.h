#pragma once
// The name of a container that nobody gave one: an adjective and the surname of somebody who found
// ways, on water or in thought; "steady_amundsen". As docker's and podman's, it holds for 'rename',
// 'rm' and all others like a name that was given.

#include <cstdint>
#include <string>

namespace knarr::engine {

/// How many draws are two words alone; later ones have a number behind.
inline constexpr unsigned kPlainDraws = 6;

/// The name that the random number `drawn` stands for. `draw` counts from 0, and says how many
/// names were taken before this one.
std::string generated_name(std::uint64_t drawn, unsigned draw);

}  // namespace knarr::engine
