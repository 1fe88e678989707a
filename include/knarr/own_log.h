#pragma once
// The log of knarr itself, as its command line and the monitors of containers keep it.

#include <cstdint>
#include <string>

namespace knarr {

enum class LogFormat : std::uint8_t { text, json };
enum class LogLevel : std::uint8_t { error, warning, info, debug };

struct OwnLog {
    std::string file = {};  ///< absolute; empty: none
    LogFormat format = LogFormat::text;
    LogLevel level = LogLevel::warning;  ///< what is less grave is left out
    bool any_way = false;  ///< the caller answers for the directories on the way to it
};

}  // namespace knarr
