#pragma once
// New limits for a container; one of an image keeps them for its later runs, and may have ended or
// not have run yet.

#include <cstdint>
#include <optional>
#include <string>

namespace knarr {

/// What is not set stays as it is. -1 is "no limit" where a number has a sign.
struct UpdateRequest {
    /// A linux.resources object of an OCI configuration as JSON; nothing else may be set then.
    std::string resources_json = {};
    std::optional<std::int64_t> memory_bytes = {}, memory_reservation = {},
                                memory_swap = {};        ///< bytes
    std::optional<std::int64_t> kernel_memory_tcp = {};  ///< bytes
    std::optional<std::uint64_t> cpu_shares = {};
    std::optional<std::uint64_t> cpu_period_us = {}, cpu_burst_us = {};
    std::optional<std::int64_t> cpu_quota_us = {};
    std::optional<std::int64_t> cpu_idle = {};  ///< 0 or 1
    std::optional<std::uint64_t> realtime_period_us = {};
    std::optional<std::int64_t> realtime_runtime_us = {};
    std::string cpuset_cpus = {}, cpuset_mems = {};  ///< "0-3,7"
    std::optional<std::int64_t> pids_limit = {};
    std::optional<std::uint16_t> block_io_weight = {};  ///< 10 to 1000
};

}  // namespace knarr
