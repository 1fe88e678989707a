#include "engine/info.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::engine {
namespace {

/// A host of files: /proc and /dev in a temporary directory.
class HostReportTest : public testing::Test {
protected:
    HostReportTest() {
        char path[] = "/tmp/knarr-info-XXXXXX";
        dir_ = mkdtemp(path);
        for (const auto* name : {"self/ns", "sys/user", "sys/kernel/seccomp"}) {
            EXPECT_TRUE(sys::make_dirs(dir_ + "/proc/" + name, 0755));
        }
        EXPECT_TRUE(sys::make_dirs(dir_ + "/dev", 0755));
        for (const auto* name : {"pid", "mnt", "net", "ipc", "uts", "cgroup", "time", "user"}) {
            write("proc/self/ns/" + std::string(name), "");
        }
        write("proc/sys/user/max_user_namespaces", "1000\n");
        write("proc/sys/kernel/seccomp/actions_avail", "allow\n");
        write("proc/filesystems", "nodev\tproc\nnodev\toverlay\n\text4\n");
        write("dev/kvm", "");
        facts_.machine = "x86_64";
        facts_.apparmor = facts_.selinux = true;
    }
    ~HostReportTest() override {
        const auto tmp = sys::open_path("/tmp", O_RDONLY | O_DIRECTORY);
        EXPECT_TRUE(sys::remove_tree_at(*tmp, dir_.substr(5)));
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(dir_ + "/" + name) << text;
    }
    void remove(const std::string& name) const {
        ASSERT_EQ(::remove((dir_ + "/" + name).c_str()), 0);
    }
    HostReport report() const {
        return report_host(facts_, {.proc = dir_ + "/proc", .dev = dir_ + "/dev"});
    }
    Feature feature(const std::string& name) const {
        for (const Feature& one : report().features) {
            if (one.name == name) {
                return one;
            }
        }
        ADD_FAILURE() << "no feature " << name;
        return {};
    }
    std::string dir_;
    sys::HostFacts facts_;
};

TEST_F(HostReportTest, EverythingIsThereOnAFullHost) {
    for (const Feature& one : report().features) {
        if (one.name == "systemd_cgroup") {
            continue;  // this very host's systemd is asked, not the files of these roots
        }
        EXPECT_TRUE(one.available) << one.name << ": " << one.reason;
        EXPECT_TRUE(one.reason.empty());
    }
    EXPECT_EQ(report().architecture, "amd64");
}

TEST_F(HostReportTest, EachMissingThingHasAReason) {
    struct Case {
        const char* file;
        const char* feature;
    };
    for (const Case& one : {Case{"proc/self/ns/pid", "pid_namespace"},
                            Case{"proc/self/ns/time", "time_namespace"},
                            Case{"proc/self/ns/user", "user_namespace"},
                            Case{"proc/sys/kernel/seccomp/actions_avail", "seccomp"},
                            Case{"proc/filesystems", "overlay"},
                            Case{"dev/kvm", "kvm"}}) {
        ASSERT_TRUE(feature(one.feature).available) << one.feature;
        remove(one.file);
        EXPECT_FALSE(feature(one.feature).available) << one.feature;
        EXPECT_FALSE(feature(one.feature).reason.empty()) << one.feature;
    }
}

TEST_F(HostReportTest, UserNamespacesCanBeSwitchedOff) {
    write("proc/sys/user/max_user_namespaces", "0\n");
    EXPECT_NE(feature("user_namespace").reason.find("max_user_namespaces"), std::string::npos);
}

TEST_F(HostReportTest, NativeNeedsItsNamespaces) {
    EXPECT_TRUE(report().isolation.front().available);
    remove("proc/self/ns/pid");
    EXPECT_EQ(report().isolation.front().name, "native");
    EXPECT_FALSE(report().isolation.front().available);
}

TEST_F(HostReportTest, KindsThatAreNotBuiltSaySo) {
    const auto isolation = report().isolation;
    ASSERT_EQ(isolation.size(), 4u);
    for (std::size_t i = 1; i < isolation.size(); ++i) {
        EXPECT_FALSE(isolation[i].available) << isolation[i].name;
        EXPECT_FALSE(isolation[i].reason.empty()) << isolation[i].name;
    }
}

TEST_F(HostReportTest, ControllersAreListedOnceAndSorted) {
    facts_.cgroups = {{.controllers = {"memory", "cpu"}, .mount_point = {}, .own_path = {}},
                      {.controllers = {"name=systemd"}, .mount_point = {}, .own_path = {}},
                      {.controllers = {"cpu"}, .mount_point = {}, .own_path = {}, .v2 = true}};
    EXPECT_EQ(report().cgroup_controllers, (std::vector<std::string>{"cpu", "memory"}));
}

}  // namespace
}  // namespace knarr::engine
