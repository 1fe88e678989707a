#include "runtime/native/update_plan.h"

#include <algorithm>

#include "core/text.h"

namespace knarr::runtime::native {

namespace {

constexpr std::int64_t kNoLimit = INT64_MAX;
constexpr const char* kMemory = "linux.resources.memory.limit";
constexpr const char* kSwap = "linux.resources.memory.swap";

/// A number of a cgroup file: "max" and the largest multiple of a page (v1) are no limit.
std::optional<std::int64_t> number_in(std::optional<std::string_view> text) {
    if (!text) {
        return std::nullopt;
    }
    const std::string_view word = text->substr(0, text->find_first_of(" \n"));
    if (word == "max") {
        return kNoLimit;
    }
    if (word == "-1") {
        return -1;
    }
    constexpr std::uint64_t kPage = 64 * 1024;
    const auto value = parse_number(word);
    return !value                      ? std::nullopt
           : *value > kNoLimit - kPage ? std::optional(kNoLimit)
                                       : std::optional(static_cast<std::int64_t>(*value));
}

std::int64_t or_no_limit(std::int64_t value) {
    return value < 0 ? kNoLimit : value;
}

/// Moves the first text for `file` before the first one for `other`.
void put_before(sys::CgroupPlan& plan, std::string_view file, std::string_view other) {
    for (sys::CgroupDir& dir : plan.dirs) {
        const auto at = std::ranges::find(dir.writes, file, &sys::CgroupWrite::file);
        const auto before = std::ranges::find(dir.writes, other, &sys::CgroupWrite::file);
        if (at != dir.writes.end() && before < at) {
            std::rotate(before, at, at + 1);
        }
    }
}

/// What of `memory` and `sum` contradicts the other half that stays in force.
Result<> check_memory(const spec::MemoryLimits& memory, const LimitsInForce& now, bool v2) {
    const std::int64_t limit = memory.limit.value_or(0);
    const std::int64_t sum = memory.swap.value_or(0);
    if (!v2 && limit > 0 && sum == 0 && limit > now.memory_sum.value_or(kNoLimit)) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = fmt::format("{}: {} is more than the limit of memory and swap "
                                                 "together that is in force, {}",
                                                 kMemory,
                                                 limit,
                                                 *now.memory_sum),
                          .hint = "raise memory.swap (--memory-swap) too"});
    }
    if (!v2 && sum > 0 && limit == 0 && sum < now.memory.value_or(0)) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = fmt::format(
                              "{}: {} is the sum of memory and swap and less "
                              "than the limit of memory in force, {}",
                              kSwap,
                              sum,
                              now.memory == kNoLimit ? "none" : fmt::format("{}", *now.memory)),
                          .hint = "lower memory.limit (--memory) too"});
    }
    if (memory.check_before_update.value_or(false) && limit > 0 &&
        limit < now.memory_used.value_or(0)) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = fmt::format("{}: {} bytes are in use, more than {}, and "
                                                 "memory.checkBeforeUpdate forbids that",
                                                 kMemory,
                                                 *now.memory_used,
                                                 limit),
                          .hint = "choose a higher limit, or leave checkBeforeUpdate out"});
    }
    return {};
}

Result<> check_burst(const spec::CpuLimits& cpu, const LimitsInForce& now) {
    const std::int64_t quota = cpu.quota.value_or(0) != 0 ? *cpu.quota : now.quota.value_or(-1);
    const std::int64_t burst =
        cpu.burst ? static_cast<std::int64_t>(*cpu.burst) : now.burst.value_or(0);
    if (quota > 0 && burst > quota) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = fmt::format("linux.resources.cpu: a burst of {} us {}is more "
                                                 "than the quota of {} us {}",
                                                 burst,
                                                 cpu.burst ? "" : "(in force) ",
                                                 quota,
                                                 cpu.quota.value_or(0) != 0 ? "" : "(in force) "),
                          .hint = "set both: --cpu-quota and --cpu-burst"});
    }
    return {};
}

void order_memory(sys::CgroupPlan& plan,
                  const spec::MemoryLimits& memory,
                  const LimitsInForce& now) {
    // memory <= memory + swap holds at every moment. The sum first unless it goes below what is
    // in force for memory: then that goes down first.
    const std::int64_t sum = memory.swap.value_or(0) == 0 ? -1 : *memory.swap;
    if (or_no_limit(sum) >= now.memory.value_or(kNoLimit)) {
        put_before(plan, "memory.memsw.limit_in_bytes", "memory.limit_in_bytes");
    }
}

void order_cpu(sys::CgroupPlan& plan, const spec::CpuLimits& cpu, const LimitsInForce& now) {
    // v1 has quota and period in two files, and the share that they make is bounded by the cgroup
    // above: the smaller of the two possible shares on the way is taken.
    const auto share = [](std::int64_t quota, std::int64_t period) {
        return quota < 0 || period <= 0 ? 1e18
                                        : static_cast<double>(quota) / static_cast<double>(period);
    };
    const std::int64_t old_quota = now.quota.value_or(-1);
    const std::int64_t old_period = now.period.value_or(100'000);
    const std::int64_t quota = cpu.quota.value_or(0) != 0 ? *cpu.quota : old_quota;
    const auto period = static_cast<std::int64_t>(
        cpu.period.value_or(0) != 0 ? *cpu.period : static_cast<std::uint64_t>(old_period));
    if (share(quota, old_period) < share(old_quota, period)) {
        put_before(plan, "cpu.cfs_quota_us", "cpu.cfs_period_us");
    }
    // burst <= quota holds at every moment: one that goes down goes first.
    if (cpu.burst && static_cast<std::int64_t>(*cpu.burst) <= now.burst.value_or(0)) {
        put_before(plan, "cpu.cfs_burst_us", "cpu.cfs_quota_us");
        put_before(plan, "cpu.max.burst", "cpu.max");
    }
    // An idle group has no weight that could be set.
    if (cpu.idle == 0) {
        put_before(plan, "cpu.idle", "cpu.shares");
        put_before(plan, "cpu.idle", "cpu.weight");
    }
}

}  // namespace

LimitsInForce limits_in_force(const ReadCgroupFile& read, bool v2) {
    const auto number = [&](const char* controller, const char* file) {
        return number_in(read(controller, file));
    };
    LimitsInForce now{
        .memory = number("memory", v2 ? "memory.max" : "memory.limit_in_bytes"),
        .memory_sum = v2 ? std::nullopt : number("memory", "memory.memsw.limit_in_bytes"),
        .memory_used = number("memory", v2 ? "memory.current" : "memory.usage_in_bytes"),
        .quota = {},
        .period = {},
        .burst = number("cpu", v2 ? "cpu.max.burst" : "cpu.cfs_burst_us"),
    };
    if (!v2) {
        now.quota = number("cpu", "cpu.cfs_quota_us");
        now.period = number("cpu", "cpu.cfs_period_us");
        return now;
    }
    const std::string both = read("cpu", "cpu.max").value_or("");  // "max 100000"
    const std::size_t blank = both.find(' ');
    if (blank != std::string::npos) {
        now.quota = number_in(both);
        now.quota = now.quota == kNoLimit ? -1 : now.quota;
        now.period = number_in(std::string_view(both).substr(blank + 1));
    }
    return now;
}

spec::Resources completed(spec::Resources wanted, const LimitsInForce& now) {
    if (wanted.memory && wanted.memory->swap.value_or(0) > 0 &&
        wanted.memory->limit.value_or(0) == 0 && now.memory.value_or(kNoLimit) != kNoLimit) {
        wanted.memory->limit = now.memory;
    }
    if (wanted.cpu) {
        spec::CpuLimits& cpu = *wanted.cpu;
        const bool quota = cpu.quota.value_or(0) != 0;
        const bool period = cpu.period.value_or(0) != 0;
        if (quota && !period && now.period) {
            cpu.period = static_cast<std::uint64_t>(*now.period);
        } else if (period && !quota && now.quota) {
            cpu.quota = now.quota;
        }
    }
    return wanted;
}

Result<sys::CgroupPlan> plan_update(spec::Resources wanted,
                                    const LimitsInForce& now,
                                    const sys::HostFacts& host,
                                    const sys::CgroupPlan& where,
                                    std::vector<std::string>& warnings) {
    sys::CgroupPlan plan{.dirs = where.dirs, .v2 = where.v2, .enable = {}, .device_rules = {}};
    for (sys::CgroupDir& dir : plan.dirs) {
        dir.writes.clear();
    }
    if (!wanted.devices.empty()) {
        warnings.emplace_back(
            "linux.resources.devices: ignored: an update leaves the device rules as they are");
        wanted.devices.clear();
    }
    if (plan.v2) {
        wanted = completed(std::move(wanted), now);
    }
    if (wanted.memory) {
        KNARR_TRY(check_memory(*wanted.memory, now, plan.v2));
    }
    if (wanted.cpu) {
        KNARR_TRY(check_burst(*wanted.cpu, now));
    }
    CgroupWriter writer(host, plan);
    KNARR_TRY(write_resources(wanted, writer, warnings));
    if (wanted.memory) {
        order_memory(plan, *wanted.memory, now);
    }
    if (wanted.cpu) {
        order_cpu(plan, *wanted.cpu, now);
    }
    return plan;
}

}  // namespace knarr::runtime::native
