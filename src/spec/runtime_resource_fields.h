#pragma once
// The fields of config.json's linux.resources. Private to this room.
// Source: runtime-spec v1.3.0 config-linux.md "Control groups".

#include <algorithm>
#include <cstdint>

#include "spec/json_fields.h"
#include "spec/runtime_config.h"

namespace knarr::spec {

/// What the kernel takes as the name of a network interface (dev_valid_name()).
bool is_interface_name(std::string_view name);
/// The size in the name of a hugetlb file: "2MB", "64KB", "1GB". It becomes part of a file name.
bool is_page_size(std::string_view text);

template <typename F>
void check_at_least(F& f, std::string_view name, std::optional<std::int64_t> value) {
    f.check(value.value_or(0) >= -1, name, "{} is less than -1 (no limit)", value.value_or(0));
}

template <typename F>
void fields(F& f, Of<F, DeviceRule>& m) {
    constexpr std::int64_t kMaxNumber = UINT32_MAX;
    f.required("allow", m.allow);
    f.optional_letter("type", m.type, "acb");
    f.optional("major", m.major);
    f.optional("minor", m.minor);
    f.optional("access", m.access);
    for (const auto& [name, number] : {std::pair("major", m.major), std::pair("minor", m.minor)}) {
        f.check(number.value_or(0) >= -1 && number.value_or(0) <= kMaxNumber,
                name,
                "{} is not between -1 (all) and {}",
                number.value_or(0),
                kMaxNumber);
    }
    // "a" is runc's: what it means is the planner's affair.
    f.check(m.access.find_first_not_of("rwma") == std::string::npos,
            "access",
            "\"{}\" has other letters than r, w and m",
            m.access);
}

template <typename F>
void fields(F& f, Of<F, MemoryLimits>& m) {
    f.optional("limit", m.limit);
    f.optional("reservation", m.reservation);
    f.optional("swap", m.swap);
    f.optional("kernel", m.kernel);
    f.optional("kernelTCP", m.kernel_tcp);
    check_at_least(f, "limit", m.limit);
    check_at_least(f, "reservation", m.reservation);
    check_at_least(f, "swap", m.swap);
    check_at_least(f, "kernel", m.kernel);
    check_at_least(f, "kernelTCP", m.kernel_tcp);
    f.optional("swappiness", m.swappiness);
    if constexpr (F::kReading) {
        if (m.swappiness == UINT64_MAX) {  // -1 as older engines wrote it: not set
            m.swappiness.reset();
        }
    }
    f.check(m.swappiness.value_or(0) <= 100,
            "swappiness",
            "{} is not between 0 and 100",
            m.swappiness.value_or(0));
    f.optional("disableOOMKiller", m.disable_oom_killer);
    f.optional("useHierarchy", m.use_hierarchy);
    f.optional("checkBeforeUpdate", m.check_before_update);
}

template <typename F>
void fields(F& f, Of<F, CpuLimits>& m) {
    f.optional("shares", m.shares);
    f.optional("quota", m.quota);
    f.optional("burst", m.burst);
    f.optional("period", m.period);
    f.optional("realtimeRuntime", m.realtime_runtime);
    f.optional("realtimePeriod", m.realtime_period);
    f.optional("cpus", m.cpus);
    f.optional("mems", m.mems);
    f.optional("idle", m.idle);
    const std::int64_t idle = m.idle.value_or(0);
    f.check(idle == 0 || idle == 1, "idle", "{} is not 0 or 1", idle);
}

template <typename F>
void check_block_device(F& f, std::int64_t major, std::int64_t minor) {
    f.check(
        major >= 0 && major <= UINT32_MAX, "major", "{} is not between 0 and 4294967295", major);
    f.check(
        minor >= 0 && minor <= UINT32_MAX, "minor", "{} is not between 0 and 4294967295", minor);
}

template <typename F>
void check_block_weight(F& f, std::string_view name, std::optional<std::uint16_t> weight) {
    f.check(weight.value_or(0) <= 1000, name, "{} is more than 1000", weight.value_or(0));
}

template <typename F>
void fields(F& f, Of<F, WeightDevice>& m) {
    f.required("major", m.major);
    f.required("minor", m.minor);
    check_block_device(f, m.major, m.minor);
    f.optional("weight", m.weight);
    f.optional("leafWeight", m.leaf_weight);
    f.check(m.weight || m.leaf_weight, "weight", "and leafWeight are both missing");
    check_block_weight(f, "weight", m.weight);
    check_block_weight(f, "leafWeight", m.leaf_weight);
}

template <typename F>
void fields(F& f, Of<F, ThrottleDevice>& m) {
    f.required("major", m.major);
    f.required("minor", m.minor);
    check_block_device(f, m.major, m.minor);
    f.required("rate", m.rate);
}

template <typename F>
void fields(F& f, Of<F, BlockIoLimits>& m) {
    f.optional("weight", m.weight);
    f.optional("leafWeight", m.leaf_weight);
    check_block_weight(f, "weight", m.weight);
    check_block_weight(f, "leafWeight", m.leaf_weight);
    f.optional("weightDevice", m.weight_devices);
    f.optional("throttleReadBpsDevice", m.read_bps);
    f.optional("throttleWriteBpsDevice", m.write_bps);
    f.optional("throttleReadIOPSDevice", m.read_iops);
    f.optional("throttleWriteIOPSDevice", m.write_iops);
}

template <typename F>
void fields(F& f, Of<F, HugepageLimit>& m) {
    f.required("pageSize", m.page_size);
    f.check(is_page_size(m.page_size),
            "pageSize",
            "\"{}\" is not a size such as 64KB, 2MB or 1GB",
            m.page_size);
    f.required("limit", m.limit);
}

template <typename F>
void fields(F& f, Of<F, InterfacePriority>& m) {
    f.required("name", m.name);
    f.check(is_interface_name(m.name), "name", "\"{}\" is not a network interface's name", m.name);
    f.required("priority", m.priority);
}

template <typename F>
void fields(F& f, Of<F, NetworkLimits>& m) {
    f.optional("classID", m.class_id);
    f.optional("priorities", m.priorities);
}

template <typename F>
void fields(F& f, Of<F, RdmaLimit>& m) {
    f.optional("hcaHandles", m.hca_handles);
    f.optional("hcaObjects", m.hca_objects);
    f.check(m.hca_handles || m.hca_objects, "hcaHandles", "and hcaObjects are both missing");
}

/// The object around pids.limit, which Resources flattens.
struct PidsObject {
    std::optional<std::int64_t> limit;
};

template <typename F>
void fields(F& f, Of<F, PidsObject>& m) {
    f.optional("limit", m.limit);
    check_at_least(f, "limit", m.limit);
}

template <typename F>
void fields(F& f, Of<F, Resources>& m) {
    f.optional("devices", m.devices);
    f.optional("memory", m.memory);
    f.optional("cpu", m.cpu);
    std::optional<PidsObject> pids;
    if (m.pids_limit) {
        pids.emplace(PidsObject{.limit = m.pids_limit});
    }
    f.optional("pids", pids);
    if constexpr (F::kReading) {
        m.pids_limit = pids ? pids->limit : std::nullopt;
    }
    f.optional("blockIO", m.block_io);
    f.optional("hugepageLimits", m.hugepage_limits);
    f.optional("network", m.network);
    f.optional("rdma", m.rdma);
    f.optional("unified", m.unified);
    for (const auto& [file, text] : m.unified) {
        // The name becomes a file of the cgroup: nothing may lead out of it. runc does the same.
        f.check(file.find('/') == std::string::npos && file.find('.') != std::string::npos &&
                    !file.starts_with('.'),
                "unified",
                "\"{}\" is not the name of a cgroup file such as memory.high",
                printable(file, 60));
    }
}

}  // namespace knarr::spec
