#pragma once
// What containers use, as `stats` and `metrics` show it. Pure; what the host does not count is
// null,
// "--" or left out, and never 0.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knarr/container.h"
#include "knarr/stats.h"

namespace knarr::cli {

/// One container at one moment; without statistics it has no processes.
struct Usage {
    ContainerInfo info;
    std::optional<Statistics> statistics;
    std::string called = {};          // as it was typed; empty: nobody named it
    std::int64_t at_ns = 0;           // of a steady clock
    std::uint64_t machine_bytes = 0;  // the memory that bounds one without a limit; 0: not known
};

/// Of one CPU, in percent; nothing without two moments.
std::optional<double> cpu_percent(const Usage& before, const Usage& now);
/// What cannot be taken back when memory is short: without pages of files that nobody uses.
std::optional<std::uint64_t> memory_in_use(const Statistics& statistics);
/// Bytes that were read and written by "Read" and "Write" of all devices.
struct InOut {
    std::uint64_t in = 0, out = 0;
};
std::optional<InOut> block_bytes(const Statistics& statistics);
/// Of all interfaces but loopback.
std::optional<InOut> network_bytes(const Statistics& statistics);

/// docker's columns: ID, name, CPU, memory and limit, memory in percent, net, block, pids.
std::vector<std::string> usage_row(const Usage* before, const Usage& now, const std::string& id);
/// docker's `stats --format json`, on one line; null where nothing is counted.
std::string usage_json(const Usage* before, const Usage& now, const std::string& id);

/// All of them in Prometheus' text format. Source: prometheus.io, "Exposition formats", 0.0.4.
std::string metrics_text(const std::vector<Usage>& all);

}  // namespace knarr::cli
