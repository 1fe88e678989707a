#include "runtime/native/update_plan.h"

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::v1_host;
using testing_config::v2_host;
using Texts = std::vector<std::string>;

/// The directories of a container on such a host.
sys::CgroupPlan place(const sys::HostFacts& host) {
    std::vector<std::string> warnings;
    spec::RuntimeConfig config;
    config.linux_ = spec::Linux{};
    config.linux_->cgroups_path = "/box";
    sys::CgroupPlan plan = plan_cgroup(config, host, "web", warnings).value();
    for (sys::CgroupDir& dir : plan.dirs) {
        dir.writes.clear();
    }
    return plan;
}

/// What is written, in order, as "file=text"; or the error.
Texts texts(const spec::Resources& wanted, const LimitsInForce& now, const sys::HostFacts& host) {
    std::vector<std::string> warnings;
    const auto plan = plan_update(wanted, now, host, place(host), warnings);
    if (!plan) {
        return {fmt::format("{}: {}", describe(plan.error().code).name, plan.error().message)};
    }
    Texts out;
    for (const sys::CgroupDir& dir : plan->dirs) {
        for (const sys::CgroupWrite& one : dir.writes) {
            out.push_back(fmt::format("{}={}", one.file, one.text));
        }
    }
    return out;
}

spec::Resources memory(std::int64_t limit, std::int64_t sum) {
    spec::Resources out;
    out.memory.emplace();
    out.memory->limit = limit == 0 ? std::nullopt : std::optional(limit);
    out.memory->swap = sum == 0 ? std::nullopt : std::optional(sum);
    return out;
}

spec::Resources cpu(std::int64_t quota, std::uint64_t period) {
    spec::Resources out;
    out.cpu.emplace();
    out.cpu->quota = quota == 0 ? std::nullopt : std::optional(quota);
    out.cpu->period = period == 0 ? std::nullopt : std::optional(period);
    return out;
}

LimitsInForce memory_now(std::int64_t limit, std::int64_t sum) {
    LimitsInForce now;
    now.memory = limit;
    now.memory_sum = sum;
    return now;
}

LimitsInForce cpu_now(std::int64_t quota, std::int64_t period, std::int64_t burst = 0) {
    LimitsInForce now;
    now.quota = quota;
    now.period = period;
    now.burst = burst;
    return now;
}

TEST(UpdateMemory, TheSumIsRaisedFirstAndLoweredLast) {
    const Texts sum_first{"memory.memsw.limit_in_bytes=400", "memory.limit_in_bytes=200"};
    const Texts sum_last{"memory.limit_in_bytes=200", "memory.memsw.limit_in_bytes=400"};
    EXPECT_EQ(texts(memory(200, 400), memory_now(100, 200), v1_host()), sum_first);
    EXPECT_EQ(texts(memory(200, 400), memory_now(500, 900), v1_host()), sum_last);
    EXPECT_EQ(texts(memory(200, 400), memory_now(INT64_MAX, INT64_MAX), v1_host()), sum_last);
    EXPECT_EQ(texts(memory(200, -1), memory_now(500, 900), v1_host()).front(),
              "memory.memsw.limit_in_bytes=-1");
    // Without limit of memory the sum has none either, and must not stand in the way.
    EXPECT_EQ(texts(memory(-1, 0), memory_now(100, 200), v1_host()).front(),
              "memory.memsw.limit_in_bytes=-1");
}

TEST(UpdateMemory, WhatContradictsTheOtherLimitInForceIsRefused) {
    EXPECT_TRUE(texts(memory(300, 0), memory_now(100, 200), v1_host())[0].starts_with(
        "invalid_config: linux.resources.memory.limit: 300 is more than"));
    EXPECT_TRUE(texts(memory(0, 50), memory_now(100, 200), v1_host())[0].starts_with(
        "invalid_config: linux.resources.memory.swap: 50 is the sum"));
    EXPECT_EQ(texts(memory(200, 0), memory_now(100, 200), v1_host()),
              Texts{"memory.limit_in_bytes=200"});
}

TEST(UpdateMemory, OnV2SwapAloneIsCountedFromTheMemoryInForce) {
    LimitsInForce now;
    now.memory = 100;
    EXPECT_EQ(texts(memory(0, 150), now, v2_host()),
              (Texts{"memory.max=100", "memory.swap.max=50"}));
    now.memory = INT64_MAX;
    EXPECT_TRUE(texts(memory(0, 150), now, v2_host())[0].starts_with("invalid_config"));
}

TEST(UpdateMemory, CheckBeforeUpdateLooksAtWhatIsUsed) {
    spec::Resources wanted = memory(100, 0);
    LimitsInForce now;
    now.memory_used = 101;
    EXPECT_EQ(texts(wanted, now, v2_host()), Texts{"memory.max=100"});
    wanted.memory->check_before_update = true;
    EXPECT_TRUE(texts(wanted, now, v2_host())[0].starts_with("wrong_state"));
    now.memory_used = 100;
    EXPECT_EQ(texts(wanted, now, v2_host()), Texts{"memory.max=100"});
}

TEST(UpdateCpu, QuotaAndPeriodKeepEachOther) {
    EXPECT_EQ(texts(cpu(20, 0), cpu_now(50, 100), v2_host()), Texts{"cpu.max=20 100"});
    EXPECT_EQ(texts(cpu(0, 200), cpu_now(50, 100), v2_host()), Texts{"cpu.max=50 200"});
    EXPECT_EQ(texts(cpu(0, 200), cpu_now(-1, 100), v2_host()), Texts{"cpu.max=max 200"});
    EXPECT_EQ(texts(cpu(20, 0), cpu_now(50, 100), v1_host()), Texts{"cpu.cfs_quota_us=20"});
    EXPECT_EQ(texts(cpu(0, 200), cpu_now(50, 100), v1_host()), Texts{"cpu.cfs_period_us=200"});
}

TEST(UpdateCpu, SomebodyWhoKeepsOnlyBothTogetherIsToldBoth) {
    const spec::Resources wanted = completed(cpu(0, 200), cpu_now(50, 100));
    EXPECT_EQ(wanted.cpu->quota, 50);
    EXPECT_EQ(wanted.cpu->period, 200U);
    EXPECT_EQ(completed(cpu(20, 0), cpu_now(50, 100)).cpu->period, 100U);
    EXPECT_EQ(completed(memory(0, 150), memory_now(100, 200)).memory->limit, 100);
}

TEST(UpdateCpu, OnV1TheSmallerShareIsTakenOnTheWay) {
    EXPECT_EQ(texts(cpu(20, 40), cpu_now(50, 100), v1_host()),
              (Texts{"cpu.cfs_quota_us=20", "cpu.cfs_period_us=40"}));
    EXPECT_EQ(texts(cpu(100, 200), cpu_now(50, 100), v1_host()),
              (Texts{"cpu.cfs_period_us=200", "cpu.cfs_quota_us=100"}));
    EXPECT_EQ(texts(cpu(50, 100), cpu_now(-1, 200), v1_host()).front(), "cpu.cfs_quota_us=50");
}

TEST(UpdateCpu, ABurstStaysWithinTheQuota) {
    spec::Resources wanted = cpu(20, 0);
    wanted.cpu->burst = 10;
    EXPECT_EQ(texts(wanted, cpu_now(50, 100, 40), v2_host()),
              (Texts{"cpu.max.burst=10", "cpu.max=20 100"}));
    EXPECT_EQ(texts(wanted, cpu_now(50, 100, 0), v2_host()),
              (Texts{"cpu.max=20 100", "cpu.max.burst=10"}));
    wanted.cpu->burst = 21;
    EXPECT_TRUE(texts(wanted, cpu_now(50, 100, 0), v2_host())[0].starts_with("invalid_config"));
    EXPECT_TRUE(texts(cpu(20, 0), cpu_now(50, 100, 40), v1_host())[0].starts_with(
        "invalid_config: linux.resources.cpu: a burst of 40 us (in force)"));
}

TEST(UpdateCpu, IdleEndsBeforeThereIsAWeight) {
    spec::Resources wanted;
    wanted.cpu.emplace();
    wanted.cpu->shares = 1024;
    wanted.cpu->idle = 0;
    EXPECT_EQ(texts(wanted, {}, v2_host()), (Texts{"cpu.idle=0", "cpu.weight=100"}));
    wanted.cpu->idle = 1;
    EXPECT_EQ(texts(wanted, {}, v2_host()), (Texts{"cpu.weight=100", "cpu.idle=1"}));
}

TEST(Update, LeavesDeviceRulesAloneWithAWarning) {
    spec::Resources wanted;
    wanted.devices.push_back({.allow = false, .major = {}, .minor = {}, .access = "rwm"});
    std::vector<std::string> warnings;
    const sys::HostFacts host = v1_host();
    const auto plan = plan_update(wanted, {}, host, place(host), warnings);
    ASSERT_TRUE(plan.has_value());
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(warnings[0].starts_with("linux.resources.devices: ignored"));
}

TEST(LimitsInForce, AreReadInBothLayouts) {
    const auto v1 = limits_in_force(
        [](const char*, const char* name) -> std::optional<std::string> {
            const std::string_view file = name;
            return file == "memory.limit_in_bytes"         ? "9223372036854771712\n"
                   : file == "memory.memsw.limit_in_bytes" ? "4096\n"
                   : file == "cpu.cfs_quota_us"            ? "-1\n"
                   : file == "cpu.cfs_period_us"           ? std::optional<std::string>("100000\n")
                                                           : std::nullopt;
        },
        false);
    EXPECT_EQ(v1.memory, INT64_MAX);
    EXPECT_EQ(v1.memory_sum, 4096);
    EXPECT_EQ(v1.quota, -1);
    EXPECT_EQ(v1.period, 100'000);
    EXPECT_EQ(v1.burst, std::nullopt);
    const auto v2 = limits_in_force(
        [](const char*, const char* name) -> std::optional<std::string> {
            const std::string_view file = name;
            return file == "cpu.max"      ? "max 50000\n"
                   : file == "memory.max" ? std::optional<std::string>("max\n")
                                          : std::nullopt;
        },
        true);
    EXPECT_EQ(v2.memory, INT64_MAX);
    EXPECT_EQ(v2.quota, -1);
    EXPECT_EQ(v2.period, 50'000);
}

}  // namespace
}  // namespace knarr::runtime::native
