#include "runtime/native/cgroup_plan.h"

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::hybrid_host;
using testing_config::v1_host;
using testing_config::v2_host;

spec::RuntimeConfig with(const spec::Resources& resources, const std::string& path = "/box") {
    spec::RuntimeConfig config;
    config.linux_ = spec::Linux{};
    config.linux_->resources = resources;
    config.linux_->cgroups_path = path;
    return config;
}

/// Every text but those of devices, as "file=text", "file=text?" where it may fail; or the error.
std::vector<std::string> texts(const spec::Resources& resources,
                               const sys::HostFacts& host,
                               std::vector<std::string>* warned = nullptr) {
    std::vector<std::string> warnings;
    const Result<sys::CgroupPlan> plan = plan_cgroup(with(resources), host, "web", warnings);
    if (warned != nullptr) {
        *warned = warnings;
    }
    if (!plan) {
        return {fmt::format("{}: {}", describe(plan.error().code).name, plan.error().message)};
    }
    std::vector<std::string> out;
    for (const sys::CgroupDir& dir : plan->dirs) {
        for (const sys::CgroupWrite& one : dir.writes) {
            if (!one.file.starts_with("devices.")) {
                EXPECT_NE(one.property, "") << one.file;
                out.push_back(fmt::format("{}={}{}", one.file, one.text, one.optional ? "?" : ""));
            }
        }
    }
    return out;
}

using Texts = std::vector<std::string>;

spec::Resources memory(const spec::MemoryLimits& limits) {
    spec::Resources out;
    out.memory = limits;
    return out;
}

spec::Resources cpu(const spec::CpuLimits& limits) {
    spec::Resources out;
    out.cpu = limits;
    return out;
}

TEST(CgroupMemory, SwapIsASumOnV1AndAloneOnV2) {
    const spec::Resources both =
        memory({.limit = 100, .reservation = 50, .swap = 150, .swappiness = std::nullopt});
    EXPECT_EQ(texts(both, v1_host()),
              (Texts{"memory.limit_in_bytes=100",
                     "memory.soft_limit_in_bytes=50",
                     "memory.memsw.limit_in_bytes=150"}));
    EXPECT_EQ(texts(both, v2_host()),
              (Texts{"memory.max=100", "memory.low=50", "memory.swap.max=50"}));
}

TEST(CgroupMemory, SwapEqualToTheLimitMeansNoSwapOnV2) {
    EXPECT_EQ(texts(memory({.limit = 100, .swap = 100}), v2_host()),
              (Texts{"memory.max=100", "memory.swap.max=0"}));
}

TEST(CgroupMemory, MinusOneIsUnlimitedAndZeroIsUnset) {
    EXPECT_EQ(texts(memory({.limit = -1}), v1_host()),
              (Texts{"memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1?"}));
    EXPECT_EQ(texts(memory({.limit = -1}), v2_host()),
              (Texts{"memory.max=max", "memory.swap.max=max?"}));
    EXPECT_EQ(texts(memory({.limit = 100, .swap = -1}), v2_host()),
              (Texts{"memory.max=100", "memory.swap.max=max?"}));
    EXPECT_EQ(texts(memory({.limit = 0, .reservation = 0, .swap = 0}), v1_host()), Texts{});
    EXPECT_EQ(texts(memory({.limit = 0, .reservation = 0, .swap = 0}), v2_host()), Texts{});
}

TEST(CgroupMemory, ContradictionsAreRefused) {
    for (const sys::HostFacts& host : {v1_host(), v2_host()}) {
        EXPECT_EQ(texts(memory({.limit = 100, .swap = 99}), host)[0],
                  "invalid_config: linux.resources.memory.swap: 99 is the sum of memory and swap "
                  "and cannot be less than memory.limit, 100");
        EXPECT_EQ(texts(memory({.limit = -2}), host)[0],
                  "invalid_config: linux.resources.memory.limit: -2 is neither -1 nor a size");
        EXPECT_EQ(texts(memory({.swappiness = 101}), host)[0],
                  "invalid_config: linux.resources.memory.swappiness: 101 is not in 0 to 100");
    }
    EXPECT_TRUE(texts(memory({.swap = 5}), v2_host())[0].starts_with(
        "invalid_config: linux.resources.memory.swap: 5"));
}

TEST(CgroupMemory, WhatV2DoesNotHaveIsUnsupportedThere) {
    const std::pair<spec::MemoryLimits, const char*> rows[] = {
        {{.kernel_tcp = 7}, "memory.kmem.tcp.limit_in_bytes=7"},
        {{.swappiness = 60}, "memory.swappiness=60"},
        {{.disable_oom_killer = true}, "memory.oom_control=1"},
    };
    for (const auto& [limits, v1] : rows) {
        EXPECT_EQ(texts(memory(limits), v1_host()), Texts{v1});
        EXPECT_TRUE(
            texts(memory(limits), v2_host())[0].starts_with("unsupported: linux.resources."))
            << v1;
    }
    EXPECT_EQ(texts(memory({.disable_oom_killer = false}), v2_host()), Texts{});
    EXPECT_EQ(texts(memory({.use_hierarchy = true}), v1_host()), Texts{"memory.use_hierarchy=1"});
}

TEST(CgroupMemory, KernelMemoryIsIgnoredWithAWarning) {
    std::vector<std::string> warnings;
    EXPECT_EQ(texts(memory({.kernel = 5}), v1_host(), &warnings), Texts{});
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(warnings[0].starts_with("linux.resources.memory.kernel: ignored"));
}

TEST(CgroupCpu, EveryTextOfV1AndV2) {
    const spec::CpuLimits limits{.shares = 1024,
                                 .quota = 20'000,
                                 .burst = 5'000,
                                 .period = 50'000,
                                 .realtime_runtime = {},
                                 .realtime_period = {},
                                 .cpus = "0-1",
                                 .mems = "0",
                                 .idle = 1};
    EXPECT_EQ(texts(cpu(limits), v1_host()),
              (Texts{"cpu.shares=1024",
                     "cpu.cfs_period_us=50000",
                     "cpu.cfs_quota_us=20000",
                     "cpu.cfs_burst_us=5000",
                     "cpu.idle=1",
                     "cpuset.cpus=0-1",
                     "cpuset.mems=0"}));
    EXPECT_EQ(texts(cpu(limits), v2_host()),
              (Texts{"cpu.weight=100",
                     "cpu.max=20000 50000",
                     "cpu.max.burst=5000",
                     "cpu.idle=1",
                     "cpuset.cpus=0-1",
                     "cpuset.mems=0"}));
}

TEST(CgroupCpu, QuotaOfMinusOneMeansNoLimit) {
    EXPECT_EQ(texts(cpu({.quota = -1}), v2_host()), Texts{"cpu.max=max 100000"});
    EXPECT_EQ(texts(cpu({.quota = -1}), v1_host()), Texts{"cpu.cfs_quota_us=-1"});
    EXPECT_EQ(texts(cpu({.period = 40'000}), v2_host()), Texts{"cpu.max=max 40000"});
    EXPECT_EQ(texts(cpu({.shares = 0, .quota = 0}), v2_host()), Texts{});
}

TEST(CgroupCpu, RealTimeIsForV1) {
    const spec::CpuLimits limits{.realtime_runtime = 950, .realtime_period = 1000};
    EXPECT_EQ(texts(cpu(limits), v1_host()),
              (Texts{"cpu.rt_period_us=1000", "cpu.rt_runtime_us=950"}));
    EXPECT_TRUE(texts(cpu(limits), v2_host())[0].starts_with("unsupported: "));
}

TEST(CgroupCpu, SharesBecomeWeightsThatKeepTheDefaults) {
    EXPECT_EQ(weight_of_shares(2), 1U);
    EXPECT_EQ(weight_of_shares(1024), 100U);
    EXPECT_EQ(weight_of_shares(262'144), 10'000U);
    EXPECT_EQ(weight_of_shares(1), 1U);
    EXPECT_EQ(weight_of_shares(UINT64_MAX), 10'000U);
    for (std::uint64_t shares = 2; shares < 262'144; shares += 97) {
        EXPECT_LE(weight_of_shares(shares), weight_of_shares(shares + 97));
    }
}

TEST(CgroupPids, MinusOneIsMaxAndZeroAllowsNoFork) {
    for (const sys::HostFacts& host : {v1_host(), v2_host()}) {
        spec::Resources resources;
        resources.pids_limit = 32;
        EXPECT_EQ(texts(resources, host), Texts{"pids.max=32"});
        resources.pids_limit = -1;
        EXPECT_EQ(texts(resources, host), Texts{"pids.max=max"});
        resources.pids_limit = 0;
        EXPECT_EQ(texts(resources, host), Texts{"pids.max=1"});
    }
}

TEST(CgroupBlockIo, ThrottlesAndWeights) {
    spec::Resources resources;
    resources.block_io = spec::BlockIoLimits{};
    resources.block_io->weight = 1000;
    resources.block_io->weight_devices = {{.major = 8, .minor = 0, .weight = 10}};
    resources.block_io->read_bps = {{.major = 8, .minor = 0, .rate = 600}};
    resources.block_io->write_iops = {{.major = 8, .minor = 16, .rate = 0}};
    EXPECT_EQ(texts(resources, v1_host()),
              (Texts{"blkio.bfq.weight=1000",
                     "blkio.bfq.weight_device=8:0 10",
                     "blkio.throttle.read_bps_device=8:0 600",
                     "blkio.throttle.write_iops_device=8:16 0"}));
    EXPECT_EQ(texts(resources, v2_host()),
              (Texts{"io.bfq.weight=1000",
                     "io.bfq.weight=8:0 10",
                     "io.max=8:0 rbps=600",
                     "io.max=8:16 wiops=max"}));
    std::vector<std::string> warnings;
    const auto plan = plan_cgroup(with(resources), v2_host(), "web", warnings);
    EXPECT_EQ(plan->dirs[0].writes[0].other_file, "io.weight");
    EXPECT_EQ(plan->dirs[0].writes[0].other_text, "10000");
    EXPECT_EQ(plan->dirs[0].writes[1].other_text, "8:0 1");
    resources.block_io->weight = 9;
    EXPECT_TRUE(texts(resources, v1_host())[0].starts_with(
        "invalid_config: linux.resources.blockIO.weight: 9 is not in 10 to 1000"));
}

TEST(CgroupBlockIo, LeafWeightsAreForV1) {
    spec::Resources resources;
    resources.block_io = spec::BlockIoLimits{};
    resources.block_io->leaf_weight = 20;
    EXPECT_EQ(texts(resources, v1_host()), Texts{"blkio.leaf_weight=20"});
    EXPECT_TRUE(texts(resources, v2_host())[0].starts_with("unsupported: "));
}

TEST(CgroupHugepages, LimitAndReservation) {
    spec::Resources resources;
    resources.hugepage_limits = {{.page_size = "2MB", .limit = 9}};
    EXPECT_EQ(texts(resources, v1_host()),
              (Texts{"hugetlb.2MB.limit_in_bytes=9", "hugetlb.2MB.rsvd.limit_in_bytes=9?"}));
    EXPECT_EQ(texts(resources, v2_host()), (Texts{"hugetlb.2MB.max=9", "hugetlb.2MB.rsvd.max=9?"}));
    for (const char* size : {"2M", "MB", "../2MB", "2MB/x", ""}) {
        resources.hugepage_limits[0].page_size = size;
        EXPECT_TRUE(texts(resources, v1_host())[0].starts_with("invalid_config: ")) << size;
    }
}

TEST(CgroupNetwork, IsForV1) {
    spec::Resources resources;
    resources.network =
        spec::NetworkLimits{.class_id = 1'048'577, .priorities = {{"eth0", 5}, {"lo", 1}}};
    EXPECT_EQ(
        texts(resources, v1_host()),
        (Texts{"net_cls.classid=1048577", "net_prio.ifpriomap=eth0 5", "net_prio.ifpriomap=lo 1"}));
    EXPECT_TRUE(texts(resources, v2_host())[0].starts_with(
        "unsupported: linux.resources.network.classID: "));
}

TEST(CgroupRdma, BothNumbersAreOptional) {
    spec::Resources resources;
    resources.rdma["mlx5_0"] = {.hca_handles = 3, .hca_objects = std::nullopt};
    resources.rdma["mlx5_1"] = {.hca_handles = 3, .hca_objects = 4};
    EXPECT_EQ(texts(resources, v2_host()),
              (Texts{"rdma.max=mlx5_0 hca_handle=3", "rdma.max=mlx5_1 hca_handle=3 hca_object=4"}));
    EXPECT_EQ(
        texts(resources, v1_host())[0],
        "unsupported: linux.resources.rdma: this host has no mounted cgroup hierarchy with the "
        "rdma controller");
}

TEST(CgroupUnified, IsWrittenLineByLineOnV2Only) {
    spec::Resources resources;
    resources.unified["io.max"] = "8:0 rbps=1\n8:16 wbps=2\n";
    resources.unified["cgroup.freeze"] = "0";
    EXPECT_EQ(texts(resources, v2_host()),
              (Texts{"cgroup.freeze=0", "io.max=8:0 rbps=1", "io.max=8:16 wbps=2"}));
    for (const sys::HostFacts& host : {v1_host(), hybrid_host()}) {
        EXPECT_TRUE(texts(resources, host)[0].ends_with("this host's cgroups are not v2"));
    }
    for (const char* file : {"../x.y", "memory", ".x", "a/b.c"}) {
        spec::Resources bad;
        bad.unified[file] = "1";
        EXPECT_TRUE(texts(bad, v2_host())[0].starts_with("invalid_config: ")) << file;
    }
}

std::string path_of(const std::string& asked, const sys::HostFacts& host) {
    std::vector<std::string> warnings;
    const Result<sys::CgroupPlan> plan = plan_cgroup(with({}, asked), host, "web", warnings);
    return plan ? plan->dirs.front().path
                : fmt::format("{}: {}", describe(plan.error().code).name, plan.error().message);
}

TEST(CgroupPath, AbsoluteRelativeAndDefault) {
    sys::HostFacts host = v1_host();
    host.cgroups.front().own_path = "/user/a";
    EXPECT_EQ(path_of("", host), "/web");
    EXPECT_EQ(path_of("/pod//x/", host), "/pod/x");
    EXPECT_EQ(path_of("pod/./x", host), "/user/a/pod/x");
    host.cgroups.front().own_path = "/";
    EXPECT_EQ(path_of("pod", host), "/pod");
}

TEST(CgroupPath, WhatLeavesItsPlaceIsRefused) {
    EXPECT_TRUE(path_of("/../x", v1_host()).starts_with("invalid_config: linux.cgroupsPath: "));
    EXPECT_TRUE(path_of("a/..", v1_host()).starts_with("invalid_config: linux.cgroupsPath: "));
    EXPECT_TRUE(path_of("/a\nb", v1_host()).starts_with("invalid_config: linux.cgroupsPath: "));
    EXPECT_TRUE(path_of("/", v1_host()).starts_with("invalid_config: linux.cgroupsPath: "));
    EXPECT_TRUE(path_of("system.slice:knarr:web", v1_host()).starts_with("unsupported: "));
}

TEST(CgroupPath, HybridHasTheV2DirectoryToo) {
    std::vector<std::string> warnings;
    const Result<sys::CgroupPlan> plan = plan_cgroup(with({}), hybrid_host(), "web", warnings);
    EXPECT_FALSE(plan->v2);
    EXPECT_EQ(plan->dirs.back().mount_point, "/sys/fs/cgroup/unified");
    EXPECT_EQ(plan->dirs.back().controllers, "");
    EXPECT_TRUE(plan->device_rules.empty());
}

TEST(CgroupPath, V2EnablesWhatItHasAndWhatIsAskedFor) {
    spec::Resources resources;
    resources.cpu = spec::CpuLimits{};
    resources.cpu->cpus = "0";
    std::vector<std::string> warnings;
    const Result<sys::CgroupPlan> plan = plan_cgroup(with(resources), v2_host(), "web", warnings);
    EXPECT_EQ(plan->enable, (Texts{"cpu", "io", "memory", "pids", "cpuset"}));
    EXPECT_EQ(plan->device_rules.size(), 12U);
    EXPECT_FALSE(plan->device_rules.front().allow);
}

TEST(CgroupPath, WithoutRightsOverDevicesTheirRulesAreWarnedAbout) {
    sys::HostFacts host = v2_host();
    host.initial_user_namespace = false;
    spec::Resources resources;
    resources.devices = {{.allow = false}};
    std::vector<std::string> warnings;
    const Result<sys::CgroupPlan> plan = plan_cgroup(with(resources), host, "web", warnings);
    EXPECT_TRUE(plan->device_rules.empty());
    EXPECT_EQ(warnings.size(), 1U);
}

/// What check_bounds says of these CPU limits; empty: nothing.
std::string bounds_of(const spec::CpuLimits& limits) {
    spec::Resources resources;
    resources.cpu = limits;
    const Result<> checked = check_bounds(resources);
    return checked ? "" : checked.error().message;
}

TEST(LimitBounds, AreTheKernels) {
    EXPECT_EQ(bounds_of({}), "");
    EXPECT_EQ(bounds_of({.quota = 1000, .period = 1000}), "");
    EXPECT_EQ(bounds_of({.quota = -1, .period = 1'000'000}), "");
    EXPECT_EQ(bounds_of({.quota = 0, .period = 0}), "") << "both are unset";
    EXPECT_NE(bounds_of({.period = 999}).find("cpu.period: 999 us"), std::string::npos);
    EXPECT_NE(bounds_of({.period = 1'000'001}), "");
    EXPECT_NE(bounds_of({.quota = 999}).find("cpu.quota"), std::string::npos);
    EXPECT_NE(bounds_of({.quota = 1LL << 44}), "");
    EXPECT_EQ(bounds_of({.quota = 5000, .burst = 5000}), "");
    EXPECT_NE(bounds_of({.quota = 5000, .burst = 5001}), "");
    EXPECT_NE(bounds_of({.burst = 1ULL << 44U}), "");
    EXPECT_NE(bounds_of({.realtime_runtime = 2000, .realtime_period = 1000}), "");
    EXPECT_NE(bounds_of({.idle = 2}), "");
}

TEST(LimitBounds, ListsAreTheKernelsToo) {
    const auto cpus = [](const char* list) {
        spec::CpuLimits limits;
        limits.cpus = list;
        return bounds_of(limits);
    };
    for (const char* list : {"0", "0-3,7", "8191", "all", "0-31:2/4", " 1 , 2\n"}) {
        EXPECT_EQ(cpus(list), "") << list;
    }
    for (const char* list : {"-", "3-1", "1-", "8192", "99999999999999999999", "1,,-"}) {
        EXPECT_NE(cpus(list), "") << list;
    }
    spec::CpuLimits nodes;
    nodes.mems = "1024";
    EXPECT_NE(bounds_of(nodes).find("cpu.mems"), std::string::npos);
}

TEST(LimitBounds, ProcessesAreAsManyAsTheKernelCounts) {
    spec::Resources resources;
    resources.pids_limit = 4'194'304;
    EXPECT_TRUE(check_bounds(resources));
    ++*resources.pids_limit;
    EXPECT_FALSE(check_bounds(resources));
}

}  // namespace
}  // namespace knarr::runtime::native
