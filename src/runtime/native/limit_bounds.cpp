// What the kernel takes as linux.resources, so that it is refused before anything is stored or
// made. Source: kernel/sched/core.c tg_set_cfs_bandwidth(), kernel/sched/rt.c
// tg_set_rt_bandwidth(), kernel/cgroup/pids.c pids_max_write(), cgroup-v1/cpusets.rst "List
// format".

#include "core/text.h"
#include "runtime/native/cgroup_plan.h"
#include "runtime/native/number_set.h"

namespace knarr::runtime::native {

namespace {

constexpr std::uint64_t kLeastUs = 1000, kMaxPeriodUs = 1'000'000;
constexpr std::uint64_t kMaxQuotaUs = (1ULL << 44U) - 1;  // MAX_BW
constexpr std::int64_t kMaxPids = 4'194'304;              // PID_MAX_LIMIT
constexpr std::uint64_t kMaxNodes = 1024;                 // MAX_NUMNODES

Result<> check_range(const char* property,
                     std::uint64_t value,
                     std::uint64_t least,
                     std::uint64_t most) {
    if (value < least || value > most) {
        return fail(Errc::invalid_config,
                    "linux.resources.{}: {} us is not from {} to {}, which the kernel takes",
                    property,
                    value,
                    least,
                    most);
    }
    return {};
}

/// A list with what else the kernel knows ("all", "0-31:2/4") it checks itself.
Result<> check_list(const char* property, std::string_view list, std::uint64_t bound) {
    if (list.find_first_not_of("0123456789,-") == std::string_view::npos &&
        !parse_number_set(list, bound)) {
        return fail(Errc::invalid_config,
                    "linux.resources.{}: \"{}\" is not a list such as 0-3,7 of numbers below {}",
                    property,
                    printable(list, 100),
                    bound);
    }
    return {};
}

Result<> check_cpu(const spec::CpuLimits& cpu) {
    if (cpu.period.value_or(0) != 0) {
        KNARR_TRY(check_range("cpu.period", *cpu.period, kLeastUs, kMaxPeriodUs));
    }
    if (cpu.quota.value_or(0) > 0) {
        KNARR_TRY(check_range(
            "cpu.quota", static_cast<std::uint64_t>(*cpu.quota), kLeastUs, kMaxQuotaUs));
    }
    if (cpu.burst) {
        KNARR_TRY(check_range("cpu.burst", *cpu.burst, 0, kMaxQuotaUs));
    }
    if (cpu.quota.value_or(0) > 0 && cpu.burst &&
        *cpu.burst > static_cast<std::uint64_t>(*cpu.quota)) {
        return fail(Errc::invalid_config,
                    "linux.resources.cpu: a burst of {} us is more than the quota of {} us",
                    *cpu.burst,
                    *cpu.quota);
    }
    if (cpu.realtime_period.value_or(0) != 0 && cpu.realtime_runtime.value_or(0) > 0 &&
        static_cast<std::uint64_t>(*cpu.realtime_runtime) > *cpu.realtime_period) {
        return fail(Errc::invalid_config,
                    "linux.resources.cpu.realtimeRuntime: {} us are more than the realtimePeriod "
                    "of {} us",
                    *cpu.realtime_runtime,
                    *cpu.realtime_period);
    }
    if (cpu.idle && *cpu.idle != 0 && *cpu.idle != 1) {
        return fail(
            Errc::invalid_config, "linux.resources.cpu.idle: {} is neither 0 nor 1", *cpu.idle);
    }
    KNARR_TRY(check_list("cpu.cpus", cpu.cpus, kMaxCpus));
    return check_list("cpu.mems", cpu.mems, kMaxNodes);
}

}  // namespace

Result<> check_bounds(const spec::Resources& resources) {
    if (resources.cpu) {
        KNARR_TRY(check_cpu(*resources.cpu));
    }
    if (resources.pids_limit.value_or(0) > kMaxPids) {
        return fail(Errc::invalid_config,
                    "linux.resources.pids.limit: {} is more than the {} that the kernel takes",
                    *resources.pids_limit,
                    kMaxPids);
    }
    return {};
}

}  // namespace knarr::runtime::native
