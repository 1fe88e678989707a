#include "cli/stats_json.h"

#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

template <typename T>
void optional_member(spec::JsonWriter& json, std::string_view name, const std::optional<T>& value) {
    if (value) {
        json.member(name, *value);
    }
}

void write_cpu(spec::JsonWriter& json, const CpuStatistics& cpu) {
    json.begin_object().key("usage").begin_object().member("total", cpu.total_ns);
    if (!cpu.per_cpu_ns.empty()) {
        json.member("percpu", cpu.per_cpu_ns);
    }
    optional_member(json, "kernel", cpu.kernel_ns);
    optional_member(json, "user", cpu.user_ns);
    json.end_object().key("throttling").begin_object();
    optional_member(json, "periods", cpu.periods);
    optional_member(json, "throttledPeriods", cpu.throttled_periods);
    optional_member(json, "throttledTime", cpu.throttled_ns);
    json.end_object().end_object();
}

void write_memory_use(spec::JsonWriter& json,
                      std::string_view name,
                      const std::optional<MemoryUse>& use) {
    if (!use) {
        return;
    }
    json.key(name).begin_object();
    json.member("limit", use->limit.value_or(UINT64_MAX)).member("usage", use->usage);
    optional_member(json, "max", use->max);
    optional_member(json, "failcnt", use->limit_hits);
    json.end_object();
}

void write_memory(spec::JsonWriter& json, const MemoryStatistics& memory) {
    json.begin_object();
    optional_member(json, "cache", memory.cache);
    write_memory_use(json, "usage", memory.memory);
    write_memory_use(json, "swap", memory.memory_and_swap);
    write_memory_use(json, "kernel", memory.kernel);
    write_memory_use(json, "kernelTCP", memory.kernel_tcp);
    json.member("raw", memory.raw).end_object();
}

void write_block_io(spec::JsonWriter& json, const BlockIoStatistics& block_io) {
    json.begin_object();
    const auto list = [&](std::string_view name, const std::vector<BlockIoCount>& counts) {
        json.key(name).begin_array();
        for (const BlockIoCount& one : counts) {
            json.begin_object().member("major", one.major).member("minor", one.minor);
            json.member("op", one.op).member("value", one.value).end_object();
        }
        json.end_array();
    };
    list("ioServiceBytesRecursive", block_io.bytes);
    list("ioServicedRecursive", block_io.operations);
    json.end_object();
}

void write_interfaces(spec::JsonWriter& json, const std::vector<InterfaceStatistics>& all) {
    json.begin_array();
    for (const InterfaceStatistics& one : all) {
        json.begin_object().member("Name", one.name);
        json.member("RxBytes", one.rx_bytes).member("RxPackets", one.rx_packets);
        json.member("RxErrors", one.rx_errors).member("RxDropped", one.rx_dropped);
        json.member("TxBytes", one.tx_bytes).member("TxPackets", one.tx_packets);
        json.member("TxErrors", one.tx_errors).member("TxDropped", one.tx_dropped);
        json.end_object();
    }
    json.end_array();
}

void write_statistics(spec::JsonWriter& json, const Statistics& stats) {
    const auto part = [&](std::string_view name, const auto& value, const auto& write) {
        json.key(name);
        value ? write(json, *value) : static_cast<void>(json.null());
    };
    json.begin_object();
    part("cpu", stats.cpu, write_cpu);
    part("memory", stats.memory, write_memory);
    json.key("pids");
    if (stats.pids) {
        json.begin_object().member("current", stats.pids->current);
        optional_member(json, "limit", stats.pids->limit);
        json.end_object();
    } else {
        json.null();
    }
    part("blkio", stats.block_io, write_block_io);
    json.key("hugetlb").begin_object();
    for (const auto& [page, use] : stats.hugepages) {
        json.key(page).begin_object().member("usage", use.usage);
        optional_member(json, "max", use.max);
        json.member("failcnt", use.limit_hits).end_object();
    }
    json.end_object();
    // No monitoring group is made, so that there is nothing to be read.
    json.key("intel_rdt").null();
    part("network_interfaces", stats.interfaces, write_interfaces);
    json.end_object();
}

}  // namespace

std::string event_json(std::string_view id, const StatsSample& event) {
    const bool statistics = event.kind == StatsSample::Kind::statistics;
    spec::JsonWriter json;
    json.begin_object().member("type", statistics ? "stats" : "oom").member("id", id);
    if (statistics) {
        json.key("data");
        write_statistics(json, event.statistics);
    }
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::cli
