#include "cli/usage.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

Usage full() {
    Usage usage;
    usage.info.id = "c1";
    usage.info.name = "we\"b";
    usage.info.image = "box";
    usage.info.state = ContainerState::running;
    usage.info.pid = 7;
    Statistics& s = usage.statistics.emplace();
    s.cpu.emplace().total_ns = 2'500'000'000;
    s.cpu->throttled_ns = 5;
    s.memory.emplace().memory = {
        .usage = 3'000'000, .limit = 8'000'000, .max = 4'000'000, .limit_hits = {}};
    s.memory->raw = {{"inactive_file", 1'000'000}};
    s.pids.emplace().current = 3;
    s.block_io.emplace().bytes = {{.major = 8, .minor = 0, .op = "Read", .value = 1000},
                                  {.major = 8, .minor = 0, .op = "Write", .value = 2000},
                                  {.major = 9, .minor = 0, .op = "Read", .value = 500},
                                  {.major = 9, .minor = 0, .op = "Total", .value = 9999}};
    s.interfaces.emplace();
    s.interfaces->push_back({.name = "lo", .rx_bytes = 77, .tx_bytes = 77});
    s.interfaces->push_back({.name = "eth0", .rx_bytes = 10, .tx_bytes = 20});
    usage.at_ns = 2'000'000'000;
    return usage;
}

Usage bare() {
    Usage usage = full();
    usage.statistics = Statistics{};
    return usage;
}

TEST(Usage, CpuIsTheShareOfOneCpuBetweenTwoMoments) {
    Usage before = full();
    before.at_ns = 1'000'000'000;
    before.statistics->cpu->total_ns = 2'000'000'000;
    EXPECT_DOUBLE_EQ(*cpu_percent(before, full()), 50.0);
    before.info.pid = 8;
    EXPECT_FALSE(cpu_percent(before, full())) << "another run";
    EXPECT_FALSE(cpu_percent(full(), full())) << "no time has gone by";
    EXPECT_FALSE(cpu_percent(bare(), bare()));
}

TEST(Usage, RowsAndJsonHaveDockersColumns) {
    Usage before = full();
    before.at_ns = 0;
    EXPECT_EQ(usage_row(&before, full(), "c1"),
              (std::vector<std::string>{"c1",
                                        "we\"b",
                                        "0.00%",
                                        "1.907MiB / 7.629MiB",
                                        "25.00%",
                                        "10B / 20B",
                                        "1.5kB / 2kB",
                                        "3"}));
    EXPECT_EQ(usage_json(&before, full(), "c1"),
              R"({"BlockIO":"1.5kB / 2kB","CPUPerc":"0.00%","Container":"c1","ID":"c1",)"
              R"("MemPerc":"25.00%","MemUsage":"1.907MiB / 7.629MiB","Name":"we\"b",)"
              R"("NetIO":"10B / 20B","PIDs":"3"})");
}

TEST(Usage, WhatIsNotCountedIsNeverZero) {
    EXPECT_EQ(usage_row(nullptr, bare(), "c1"),
              (std::vector<std::string>{"c1", "we\"b", "--", "-- / --", "--", "--", "--", "--"}));
    EXPECT_EQ(usage_json(nullptr, bare(), "c1"),
              R"({"BlockIO":null,"CPUPerc":null,"Container":"c1","ID":"c1","MemPerc":null,)"
              R"("MemUsage":null,"Name":"we\"b","NetIO":null,"PIDs":null})");
    Usage unlimited = full();
    unlimited.statistics->memory->memory.limit.reset();
    EXPECT_EQ(usage_row(nullptr, unlimited, "c1")[3], "1.907MiB / --");
    EXPECT_EQ(usage_row(nullptr, unlimited, "c1")[4], "--");
}

TEST(Usage, OneWithoutALimitHasTheMachines) {
    Usage usage = full();
    usage.machine_bytes = 20'000'000;
    EXPECT_EQ(usage_row(nullptr, usage, "c1")[3], "1.907MiB / 7.629MiB");
    usage.statistics->memory->memory.limit.reset();
    EXPECT_EQ(usage_row(nullptr, usage, "c1")[3], "1.907MiB / 19.07MiB");
    EXPECT_EQ(usage_row(nullptr, usage, "c1")[4], "10.00%");
    usage.statistics->memory->memory.limit = 1ULL << 50;  // more than there is
    EXPECT_EQ(usage_row(nullptr, usage, "c1")[4], "10.00%");
    usage.statistics->memory.reset();
    EXPECT_EQ(usage_row(nullptr, usage, "c1")[3], "-- / --");
}

TEST(Metrics, HaveOneHeadingAFamilyAndLeaveOutWhatIsNotCounted) {
    const std::string text = metrics_text({full(), bare()});
    EXPECT_NE(text.find("# TYPE knarr_container_cpu_seconds_total counter\n"
                        "knarr_container_cpu_seconds_total{id=\"c1\",name=\"we\\\"b\"} "
                        "2.500000000\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("knarr_container_state{id=\"c1\",name=\"we\\\"b\",image=\"box\","
                        "state=\"running\"} 1\n"),
              std::string::npos);
    const std::string lines = "knarr_container_memory_limit_bytes{id=";
    EXPECT_EQ(text.find(lines), text.rfind(lines)) << "only one has a limit";
    EXPECT_EQ(text.find("pids_limit"), std::string::npos);
    EXPECT_EQ(metrics_text({}), "");
}

}  // namespace
}  // namespace knarr::cli
