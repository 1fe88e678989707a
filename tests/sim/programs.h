#pragma once
// The programs of the simulated machine, as their files' content.

#include <cstddef>
#include <string>
#include <string_view>

namespace knarr::sim {

inline constexpr std::string_view kProgramFile = "a simulated program";
inline constexpr std::string_view kMonitorFile = "the simulated knarr-monitor";

/// What "write:N" writes.
std::string program_output(std::size_t bytes);

}  // namespace knarr::sim
