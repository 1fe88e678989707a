#include "platform/host_facts.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::sys {
namespace {

/// A directory that stands for /proc and /sys.
class FakeHost {
public:
    FakeHost() {
        std::string path = "/tmp/knarr-test-XXXXXX";
        root_ = mkdtemp(path.data());
        file("proc/self/status",
             "Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1000\t5\t5\t5\nCapEff:\t00000000a80425fb\n"
             "CapBnd:\t000001ffffffffff\n");
        file("proc/self/uid_map", "         0          0 4294967295\n");
        file("proc/sys/kernel/cap_last_cap", "40\n");
    }
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;
    ~FakeHost() {
        const Result<Fd> tmp = open_path("/tmp", O_RDONLY | O_DIRECTORY);
        (void)remove_tree_at(*tmp, root_.substr(5));
    }

    void file(const std::string& path, const std::string& text) {
        const std::filesystem::path whole = std::filesystem::path(root_) / path;
        std::filesystem::create_directories(whole.parent_path());
        const Result<Fd> out = open_path(whole, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ASSERT_TRUE(out && write_all(*out, text));
    }
    HostFacts probe() {
        Result<HostFacts> facts = probe_host_at(root_ + "/proc", root_ + "/sys");
        EXPECT_TRUE(facts) << facts.error().message;
        return facts.value_or(HostFacts{});
    }

    const std::string& root() const { return root_; }

private:
    std::string root_;
};

TEST(HostFacts, V1HierarchiesAreTakenFromMountinfoWhereverTheyAreMounted) {
    FakeHost host;
    host.file("proc/self/cgroup", "5:memory:/user/a\n3:cpu,cpuacct:/\n1:name=systemd:/x\n");
    host.file("proc/self/mountinfo",
              "22 1 8:1 / / rw - ext4 /dev/sda rw\n"
              "30 22 0:28 / /cg/mem\\040ory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
              "31 22 0:29 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
              "32 22 0:30 / /cg/systemd rw - cgroup systemd rw,xattr,name=systemd\n");

    const HostFacts facts = host.probe();

    EXPECT_EQ(facts.cgroup_layout, CgroupLayout::v1);
    ASSERT_EQ(facts.cgroups.size(), 3U);
    EXPECT_EQ(facts.hierarchy_of("memory")->mount_point, "/cg/mem ory");
    EXPECT_EQ(facts.hierarchy_of("memory")->own_path, "/user/a");
    EXPECT_EQ(facts.hierarchy_of("cpuacct")->mount_point, "/cg/cpu,cpuacct");
    EXPECT_EQ(facts.hierarchy_of("name=systemd")->own_path, "/x");
    EXPECT_EQ(facts.hierarchy_of("pids"), nullptr);
}

TEST(HostFacts, HybridHasV1ControllersAndAnEmptyV2) {
    FakeHost host;
    host.file("proc/self/cgroup", "5:memory:/\n0::/\n");
    host.file("proc/self/mountinfo",
              "30 22 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
              "31 22 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    host.file("sys/fs/cgroup/unified/cgroup.controllers", "\n");

    const HostFacts facts = host.probe();

    EXPECT_EQ(facts.cgroup_layout, CgroupLayout::hybrid);
    ASSERT_EQ(facts.cgroups.size(), 2U);
    EXPECT_TRUE(facts.cgroups[1].v2);
    EXPECT_TRUE(facts.cgroups[1].controllers.empty());
}

TEST(HostFacts, V2ControllersAreThoseOfItsRoot) {
    FakeHost host;
    host.file("proc/self/cgroup", "1:name=elogind:/\n0::/user.slice/s-1.scope\n");
    host.file("proc/self/mountinfo",
              "31 22 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
              "32 22 0:30 / /run/elogind rw - cgroup none rw,name=elogind\n");
    host.file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");

    const HostFacts facts = host.probe();

    EXPECT_EQ(facts.cgroup_layout, CgroupLayout::v2);
    ASSERT_NE(facts.hierarchy_of("pids"), nullptr);
    EXPECT_EQ(facts.hierarchy_of("pids")->own_path, "/user.slice/s-1.scope");
    EXPECT_EQ(facts.hierarchy_of("rdma"), nullptr);
}

TEST(HostFacts, NothingIsMadeInASliceOfSystemd) {
    for (const auto& [above, delegated] : {std::pair{"app.slice", false}, {"byhand", true}}) {
        FakeHost host;
        host.file("proc/self/cgroup", fmt::format("0::/{}/own\n", above));
        host.file("proc/self/mountinfo",
                  fmt::format("31 22 0:29 / {}/cg rw - cgroup2 cgroup2 rw\n", host.root()));
        host.file("proc/self/uid_map", "0 1000 1\n");
        host.file("cg/cgroup.controllers", "pids\n");
        host.file(fmt::format("cg/{}/cgroup.procs", above), "");

        const HostFacts facts = host.probe();

        ASSERT_EQ(facts.cgroups.size(), 1U);
        EXPECT_EQ(facts.cgroups[0].parent_delegated, delegated) << above;
    }
}

TEST(HostFacts, InsideAContainerTheOwnPathIsBelowTheMountedCgroup) {
    FakeHost host;
    host.file("proc/self/cgroup", "5:memory:/docker/abc/inner\n4:pids:/docker/abc\n");
    // The second memory mount shows another cgroup: it cannot be the way to ours.
    host.file("proc/self/mountinfo",
              "29 22 0:28 /docker/ab /other rw - cgroup cgroup rw,memory\n"
              "30 22 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
              "31 22 0:29 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n");

    const HostFacts facts = host.probe();

    EXPECT_EQ(facts.hierarchy_of("memory")->mount_point, "/sys/fs/cgroup/memory");
    EXPECT_EQ(facts.hierarchy_of("memory")->own_path, "/inner");
    EXPECT_EQ(facts.hierarchy_of("pids")->own_path, "/");
}

TEST(HostFacts, WithoutCgroupsTheLayoutIsNone) {
    FakeHost unmounted;
    unmounted.file("proc/self/cgroup", "0::/\n");
    unmounted.file("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda rw\n");
    EXPECT_EQ(unmounted.probe().cgroup_layout, CgroupLayout::none);

    FakeHost without;
    EXPECT_EQ(without.probe().cgroup_layout, CgroupLayout::none);
}

TEST(HostFacts, IdsAreTheEffectiveOnesAndCapabilitiesAreRead) {
    FakeHost host;

    const HostFacts facts = host.probe();

    EXPECT_EQ(facts.uid, 0U);
    EXPECT_EQ(facts.gid, 5U);
    EXPECT_EQ(facts.effective_caps, 0xa80425fbU);
    EXPECT_EQ(facts.bounding_caps, 0x1ffffffffffU);
    EXPECT_EQ(facts.last_cap, 40);
    EXPECT_TRUE(facts.initial_user_namespace);
}

TEST(HostFacts, AUserNamespaceIsKnownByItsMap) {
    FakeHost host;
    host.file("proc/self/uid_map", "         0       1000          1\n");
    EXPECT_FALSE(host.probe().initial_user_namespace);
}

TEST(HostFacts, SecurityModulesAreKnownByTheListOrByTheirFiles) {
    FakeHost listed;
    listed.file("sys/kernel/security/lsm", "capability,yama,apparmor");
    EXPECT_TRUE(listed.probe().apparmor);
    EXPECT_FALSE(listed.probe().selinux);

    FakeHost unlisted;
    EXPECT_FALSE(unlisted.probe().apparmor);
    unlisted.file("sys/module/apparmor/parameters/enabled", "Y\n");
    unlisted.file("sys/fs/selinux/enforce", "1");
    EXPECT_TRUE(unlisted.probe().apparmor);
    EXPECT_TRUE(unlisted.probe().selinux);
}

TEST(HostFacts, SomethingOtherThanAProcfsIsRefused) {
    const Result<HostFacts> facts = probe_host_at("/nonexistent", "/sys");
    ASSERT_FALSE(facts);
    EXPECT_NE(facts.error().message.find("/nonexistent/self/status"), std::string::npos);
}

TEST(HostFacts, ThisHostIsProbedQuickly) {
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 20; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const Result<HostFacts> facts = probe_host();
        best = std::min(best, std::chrono::steady_clock::now() - start);
        ASSERT_TRUE(facts) << facts.error().message;
        EXPECT_GT(facts->kernel_major, 2);
        EXPECT_FALSE(facts->machine.empty());
        EXPECT_EQ(facts->uid, geteuid());
    }
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(best).count();
    RecordProperty("microseconds", static_cast<int>(micros));
    // A bound far above what is measured (about 60 us), so that a loaded machine passes.
    EXPECT_LT(micros, 2000);
}

}  // namespace
}  // namespace knarr::sys
