#pragma once
// What a container has used and may use. What the host does not count is not there: an absent value
// never stands for zero.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace knarr {

struct CpuStatistics {
    std::uint64_t total_ns = 0;
    std::optional<std::uint64_t> kernel_ns = {}, user_ns = {};
    std::vector<std::uint64_t> per_cpu_ns = {};  ///< v1 alone; by CPU number
    /// Of a quota: periods that were over, those in which the quota was used up, and for how long
    /// all CPUs together were held back.
    std::optional<std::uint64_t> periods = {}, throttled_periods = {}, throttled_ns = {};
};

/// One of memory, memory and swap, kernel memory: bytes.
struct MemoryUse {
    std::uint64_t usage = 0;
    std::optional<std::uint64_t> limit = {};  ///< nothing: no limit
    std::optional<std::uint64_t> max = {};    ///< the most that was ever used
    std::optional<std::uint64_t> limit_hits = {};
};

struct MemoryStatistics {
    MemoryUse memory = {};
    std::optional<MemoryUse> memory_and_swap = {};  ///< together, in both layouts
    std::optional<MemoryUse> kernel = {}, kernel_tcp = {};
    std::optional<std::uint64_t> cache = {};        ///< of `memory`, what are pages of files
    std::map<std::string, std::uint64_t> raw = {};  ///< memory.stat
};

struct PidsStatistics {
    std::uint64_t current = 0;
    std::optional<std::uint64_t> limit = {};  ///< nothing: no limit
};

/// One counter of one block device: "Read", "Write", "Discard", ...
struct BlockIoCount {
    std::uint64_t major = 0, minor = 0;
    std::string op = {};
    std::uint64_t value = 0;
};

struct BlockIoStatistics {
    std::vector<BlockIoCount> bytes = {}, operations = {};
};

struct HugepageStatistics {
    std::uint64_t usage = 0;  ///< bytes
    std::optional<std::uint64_t> max = {};
    std::uint64_t limit_hits = 0;
};

struct InterfaceStatistics {
    std::string name = {};
    std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
    std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};

struct Statistics {
    std::optional<CpuStatistics> cpu = {};
    std::optional<MemoryStatistics> memory = {};
    std::optional<PidsStatistics> pids = {};
    std::optional<BlockIoStatistics> block_io = {};
    std::map<std::string, HugepageStatistics> hugepages = {};  ///< by page size, "2MB"
    /// Of the container's network namespace; nothing when it has none of its own.
    std::optional<std::vector<InterfaceStatistics>> interfaces = {};
};

/// Something that happened to a container, or what it uses at the moment.
struct StatsSample {
    enum class Kind : std::uint8_t { statistics, out_of_memory };
    Kind kind = Kind::statistics;
    Statistics statistics = {};  ///< of Kind::statistics alone
};

}  // namespace knarr
