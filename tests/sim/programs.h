#pragma once
// The programs of the simulated machine, as their files' content.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::sim {

inline constexpr std::string_view kProgramFile = "a simulated program";
inline constexpr std::string_view kMonitorFile = "the simulated knarr-monitor";

inline constexpr std::string_view kCriuFile = "the simulated criu";
/// How much memory each program has, as criu finds it.
inline constexpr std::size_t kProgramMemory = 20000;
[[noreturn]] void be_criu(const std::vector<std::string>& arguments);

/// What "write:N" writes.
std::string program_output(std::size_t bytes);

}  // namespace knarr::sim
