// linux.resources.memory and .cpu as cgroup texts.
// Source: runtime-spec config-linux.md "Memory", "CPU"; kernel cgroup-v1/memory.rst, cgroup-v2.rst.

#include <cmath>

#include "runtime/native/cgroup_plan.h"

namespace knarr::runtime::native {

namespace {

constexpr const char* kLimit = "linux.resources.memory.limit";
constexpr const char* kSwap = "linux.resources.memory.swap";
constexpr const char* kReservation = "linux.resources.memory.reservation";

sys::CgroupWrite text(const char* file, std::string value, const char* property) {
    return {.file = file, .text = std::move(value), .property = property};
}

std::string number(auto value) {
    return fmt::format("{}", value);
}

/// v2 says "max" where v1 and the specification say -1.
std::string or_max(std::int64_t value) {
    return value < 0 ? "max" : number(value);
}

Result<> check_bytes(std::optional<std::int64_t> value, const char* property) {
    if (value && *value < -1) {
        return fail(Errc::invalid_config, "{}: {} is neither -1 nor a size", property, *value);
    }
    return {};
}

/// What `swap` (memory and swap together) is for v2, which counts swap alone. Nothing: unset.
Result<std::optional<std::string>> v2_swap(std::int64_t limit, std::int64_t swap) {
    if (swap == 0) {
        // Without a limit of memory the sum has none either.
        return limit == -1 ? std::optional<std::string>("max") : std::nullopt;
    }
    if (swap == -1) {
        return "max";
    }
    if (limit <= 0) {
        return fail(Errc::invalid_config,
                    "{}: {} is the sum of memory and swap, so that it needs memory.limit too",
                    kSwap,
                    swap);
    }
    return number(swap - limit);
}

/// memory.limit and memory.reservation. 0 is "unset" for callers that encode every field (as runc
/// takes it), of these and of `swap`.
Result<> write_bytes_limits(std::int64_t limit, std::int64_t reservation, CgroupWriter& writer) {
    if (limit != 0) {
        KNARR_TRY(writer.add("memory",
                             writer.v2() ? text("memory.max", or_max(limit), kLimit)
                                         : text("memory.limit_in_bytes", number(limit), kLimit)));
    }
    if (reservation != 0) {
        KNARR_TRY(writer.add(
            "memory",
            writer.v2() ? text("memory.low", or_max(reservation), kReservation)
                        : text("memory.soft_limit_in_bytes", number(reservation), kReservation)));
    }
    return {};
}

Result<> write_swap(std::int64_t limit, std::int64_t swap, CgroupWriter& writer) {
    if (writer.v2()) {
        const std::optional<std::string> value = KNARR_TRY(v2_swap(limit, swap));
        if (value) {
            sys::CgroupWrite write = text("memory.swap.max", *value, kSwap);
            // A kernel without swap accounting has no such file; "no bound" holds there anyway.
            write.optional = *value == "max";
            KNARR_TRY(writer.add("memory", std::move(write)));
        }
    } else if (swap != 0 || limit == -1) {
        sys::CgroupWrite write =
            text("memory.memsw.limit_in_bytes", number(swap != 0 ? swap : -1), kSwap);
        write.optional = swap <= 0;
        KNARR_TRY(writer.add("memory", std::move(write)));
    }
    return {};
}

/// What v2 has no file for.
Result<> write_v1_only(const spec::MemoryLimits& memory, CgroupWriter& writer) {
    if (memory.kernel_tcp.value_or(0) != 0) {
        constexpr const char* kProperty = "linux.resources.memory.kernelTCP";
        if (writer.v2()) {
            return fail(Errc::unsupported, "{}: cgroup v2 has no limit for TCP buffers", kProperty);
        }
        KNARR_TRY(writer.add(
            "memory",
            text("memory.kmem.tcp.limit_in_bytes", number(*memory.kernel_tcp), kProperty)));
    }
    if (memory.swappiness) {
        constexpr const char* kProperty = "linux.resources.memory.swappiness";
        if (*memory.swappiness > 100) {
            return fail(
                Errc::invalid_config, "{}: {} is not in 0 to 100", kProperty, *memory.swappiness);
        }
        if (writer.v2()) {
            return fail(
                Errc::unsupported, "{}: cgroup v2 has no swappiness of a cgroup", kProperty);
        }
        KNARR_TRY(
            writer.add("memory", text("memory.swappiness", number(*memory.swappiness), kProperty)));
    }
    if (memory.disable_oom_killer.value_or(false)) {
        constexpr const char* kProperty = "linux.resources.memory.disableOOMKiller";
        if (writer.v2()) {
            return fail(
                Errc::unsupported, "{}: cgroup v2 cannot disable the OOM killer", kProperty);
        }
        KNARR_TRY(writer.add("memory", text("memory.oom_control", "1", kProperty)));
    }
    if (memory.use_hierarchy && !writer.v2()) {
        KNARR_TRY(writer.add("memory",
                             text("memory.use_hierarchy",
                                  *memory.use_hierarchy ? "1" : "0",
                                  "linux.resources.memory.useHierarchy")));
    }
    return {};
}

}  // namespace

Result<> write_memory(const spec::MemoryLimits& memory,
                      CgroupWriter& writer,
                      std::vector<std::string>& warnings) {
    KNARR_TRY(check_bytes(memory.limit, kLimit));
    KNARR_TRY(check_bytes(memory.swap, kSwap));
    KNARR_TRY(check_bytes(memory.reservation, kReservation));
    const std::int64_t limit = memory.limit.value_or(0);
    const std::int64_t swap = memory.swap.value_or(0);
    if (limit > 0 && swap > 0 && swap < limit) {
        return fail(Errc::invalid_config,
                    "{}: {} is the sum of memory and swap and cannot be less than memory.limit, {}",
                    kSwap,
                    swap,
                    limit);
    }
    KNARR_TRY(write_bytes_limits(limit, memory.reservation.value_or(0), writer));
    KNARR_TRY(write_swap(limit, swap, writer));
    if (memory.kernel.value_or(0) != 0) {
        warnings.emplace_back(
            "linux.resources.memory.kernel: ignored: kernels since 5.16 have no separate limit for "
            "kernel memory, which counts as memory");
    }
    // checkBeforeUpdate is about a cgroup with processes in it; a new one has none.
    return write_v1_only(memory, writer);
}

std::uint64_t weight_of_shares(std::uint64_t shares) {
    if (shares <= 2) {
        return 1;
    }
    if (shares >= 262'144) {
        return 10'000;
    }
    // The quadratic in log2(shares) through (2, 1), (1024, 100) and (262144, 10000): the default of
    // one is the default of the other, which no straight line gives.
    const double l = std::log2(static_cast<double>(shares));
    return static_cast<std::uint64_t>(std::ceil(std::pow(10, (l * l + 125 * l) / 612 - 7.0 / 34)));
}

Result<> write_cpu(const spec::CpuLimits& cpu, CgroupWriter& writer) {
    const bool v2 = writer.v2();
    constexpr const char* kQuota = "linux.resources.cpu.quota";
    const std::int64_t quota = cpu.quota.value_or(0);
    const std::uint64_t period = cpu.period.value_or(0);
    if (cpu.shares.value_or(0) != 0) {
        KNARR_TRY(
            writer.add("cpu",
                       v2 ? text("cpu.weight",
                                 number(weight_of_shares(*cpu.shares)),
                                 "linux.resources.cpu.shares")
                          : text("cpu.shares", number(*cpu.shares), "linux.resources.cpu.shares")));
    }
    if (v2 && (quota != 0 || period != 0)) {
        const std::string most = quota > 0 ? number(quota) : "max";
        KNARR_TRY(writer.add(
            "cpu",
            text("cpu.max", fmt::format("{} {}", most, period == 0 ? 100'000 : period), kQuota)));
    }
    if (!v2 && period != 0) {
        KNARR_TRY(writer.add(
            "cpu", text("cpu.cfs_period_us", number(period), "linux.resources.cpu.period")));
    }
    if (!v2 && quota != 0) {
        KNARR_TRY(writer.add("cpu", text("cpu.cfs_quota_us", number(quota), kQuota)));
    }
    if (cpu.burst) {
        // After the quota, which it cannot exceed.
        KNARR_TRY(writer.add("cpu",
                             text(v2 ? "cpu.max.burst" : "cpu.cfs_burst_us",
                                  number(*cpu.burst),
                                  "linux.resources.cpu.burst")));
    }
    if (cpu.realtime_period.value_or(0) != 0 || cpu.realtime_runtime.value_or(0) != 0) {
        if (v2) {
            return fail(Errc::unsupported,
                        "linux.resources.cpu.realtimeRuntime, realtimePeriod: cgroup v2 does not "
                        "share out real time");
        }
        if (cpu.realtime_period.value_or(0) != 0) {
            KNARR_TRY(writer.add("cpu",
                                 text("cpu.rt_period_us",
                                      number(*cpu.realtime_period),
                                      "linux.resources.cpu.realtimePeriod")));
        }
        if (cpu.realtime_runtime.value_or(0) != 0) {
            KNARR_TRY(writer.add("cpu",
                                 text("cpu.rt_runtime_us",
                                      number(*cpu.realtime_runtime),
                                      "linux.resources.cpu.realtimeRuntime")));
        }
    }
    if (cpu.idle) {
        // After shares: an idle group has no weight to set.
        KNARR_TRY(
            writer.add("cpu", text("cpu.idle", number(*cpu.idle), "linux.resources.cpu.idle")));
    }
    if (!cpu.cpus.empty()) {
        KNARR_TRY(writer.add("cpuset", text("cpuset.cpus", cpu.cpus, "linux.resources.cpu.cpus")));
    }
    if (!cpu.mems.empty()) {
        KNARR_TRY(writer.add("cpuset", text("cpuset.mems", cpu.mems, "linux.resources.cpu.mems")));
    }
    return {};
}

}  // namespace knarr::runtime::native
