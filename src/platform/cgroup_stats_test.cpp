#include "platform/cgroup_stats.h"

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

using Files = std::map<std::string, std::string>;

Statistics statistics(const Files& files, bool v2, const std::vector<std::string>& pages = {}) {
    return cgroup_statistics(
        [&](std::string_view, const std::string& file) {
            const auto at = files.find(file);
            return at == files.end() ? std::nullopt : std::optional(at->second);
        },
        v2,
        pages);
}

TEST(CgroupStatistics, AreAbsentWhereThereIsNoController) {
    for (const bool v2 : {false, true}) {
        const Statistics none = statistics({}, v2, {"2MB"});
        EXPECT_FALSE(none.cpu || none.memory || none.pids || none.block_io || none.interfaces);
        EXPECT_TRUE(none.hugepages.empty());
    }
}

TEST(CgroupStatistics, OfV1) {
    const Statistics all =
        statistics({{"cpuacct.usage", "300\n"},
                    {"cpuacct.usage_percpu", "100 200 \n"},
                    {"cpuacct.stat", "user 7\nsystem 3\n"},
                    {"cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 99\n"},
                    {"memory.usage_in_bytes", "4096\n"},
                    {"memory.limit_in_bytes", "9223372036854771712\n"},
                    {"memory.max_usage_in_bytes", "8192\n"},
                    {"memory.failcnt", "1\n"},
                    {"memory.memsw.usage_in_bytes", "5000\n"},
                    {"memory.memsw.limit_in_bytes", "6000\n"},
                    {"memory.stat", "cache 10\nrss 20\n"},
                    {"pids.current", "3\n"},
                    {"pids.max", "max\n"},
                    {"blkio.throttle.io_service_bytes_recursive",
                     "8:0 Read 512\n8:0 Write 1024\nTotal 1536\n"},
                    {"blkio.throttle.io_serviced_recursive", "8:0 Read 1\nTotal 1\n"},
                    {"hugetlb.2MB.usage_in_bytes", "2097152\n"},
                    {"hugetlb.2MB.failcnt", "4\n"}},
                   false,
                   {"2MB", "1GB"});
    ASSERT_TRUE(all.cpu);
    EXPECT_EQ(all.cpu->total_ns, 300U);
    EXPECT_EQ(all.cpu->user_ns, 70'000'000U);
    EXPECT_EQ(all.cpu->kernel_ns, 30'000'000U);
    EXPECT_EQ(all.cpu->per_cpu_ns, (std::vector<std::uint64_t>{100, 200}));
    EXPECT_EQ(all.cpu->throttled_periods, 2U);
    EXPECT_EQ(all.cpu->throttled_ns, 99U);
    ASSERT_TRUE(all.memory);
    EXPECT_EQ(all.memory->memory.usage, 4096U);
    EXPECT_EQ(all.memory->memory.limit, std::nullopt);
    EXPECT_EQ(all.memory->memory.max, 8192U);
    EXPECT_EQ(all.memory->memory_and_swap->limit, 6000U);
    EXPECT_EQ(all.memory->cache, 10U);
    EXPECT_EQ(all.memory->raw.at("rss"), 20U);
    EXPECT_FALSE(all.memory->kernel);
    EXPECT_EQ(all.pids->current, 3U);
    EXPECT_EQ(all.pids->limit, std::nullopt);
    ASSERT_TRUE(all.block_io);
    ASSERT_EQ(all.block_io->bytes.size(), 2U);
    EXPECT_EQ(all.block_io->bytes[1].op, "Write");
    EXPECT_EQ(all.block_io->bytes[1].value, 1024U);
    EXPECT_EQ(all.block_io->operations.size(), 1U);
    ASSERT_EQ(all.hugepages.size(), 1U);
    EXPECT_EQ(all.hugepages.at("2MB").limit_hits, 4U);
}

TEST(CgroupStatistics, OfV2) {
    const Statistics all = statistics(
        {{"cpu.stat",
          "usage_usec 9\nuser_usec 6\nsystem_usec 3\nnr_periods 5\nnr_throttled 2\n"
          "throttled_usec 4\n"},
         {"memory.current", "4096\n"},
         {"memory.max", "8192\n"},
         {"memory.peak", "5000\n"},
         {"memory.swap.current", "100\n"},
         {"memory.swap.max", "200\n"},
         {"memory.events", "low 0\nmax 6\noom 1\n"},
         {"memory.stat", "anon 20\nfile 10\n"},
         {"pids.current", "3\n"},
         {"pids.max", "10\n"},
         {"io.stat", "8:0 rbytes=512 wbytes=1024 rios=1 wios=2 dbytes=0 dios=0\n8:16 \n"}},
        true);
    EXPECT_EQ(all.cpu->total_ns, 9000U);
    EXPECT_EQ(all.cpu->throttled_ns, 4000U);
    EXPECT_TRUE(all.cpu->per_cpu_ns.empty());
    EXPECT_EQ(all.memory->memory.limit, 8192U);
    EXPECT_EQ(all.memory->memory.limit_hits, 6U);
    EXPECT_EQ(all.memory->memory_and_swap->usage, 4196U);
    EXPECT_EQ(all.memory->memory_and_swap->limit, 8392U);
    EXPECT_EQ(all.memory->cache, 10U);
    EXPECT_EQ(all.pids->limit, 10U);
    ASSERT_EQ(all.block_io->bytes.size(), 3U);
    EXPECT_EQ(all.block_io->bytes[1].op, "Write");
    EXPECT_EQ(all.block_io->operations[1].value, 2U);
}

TEST(Interfaces, AreTheLinesOfNetDev) {
    const auto all = parse_interfaces(
        "Inter-|   Receive                            |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
        "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
        "  eth0:100 0 0 0 0 0 0 0 200 0 0 0 0 0 0 0\n"
        "  bad: 1 2\n");
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].name, "lo");
    EXPECT_EQ(all[0].rx_dropped, 4U);
    EXPECT_EQ(all[0].tx_bytes, 9U);
    EXPECT_EQ(all[0].tx_dropped, 12U);
    EXPECT_EQ(all[1].name, "eth0");
    EXPECT_EQ(all[1].rx_bytes, 100U);
    EXPECT_EQ(all[1].tx_bytes, 200U);
}

}  // namespace
}  // namespace knarr::sys
