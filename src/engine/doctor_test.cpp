#include "engine/doctor.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using Verdict = Finding::Verdict;

sys::HostFacts host_with(int major, int minor) {
    sys::HostFacts host;
    host.kernel_release = "x";
    host.kernel_major = major;
    host.kernel_minor = minor;
    return host;
}

HostReport good_report() {
    HostReport report;
    report.cgroup_layout = sys::CgroupLayout::v2;
    report.cgroup_controllers = {"cpu", "memory", "pids"};
    return report;
}

Trials good_trials() {
    Trials trials;
    trials.erofs_layers = {.name = "erofs_layers", .available = true, .reason = {}};
    return trials;
}

const Finding* find(const std::vector<Finding>& all, std::string_view name) {
    const auto at = std::ranges::find(all, name, &Finding::name);
    return at == all.end() ? nullptr : &*at;
}

TEST(Doctor, AGoodMachineHasNothingToMend) {
    for (const Finding& one : diagnose(host_with(6, 18), good_report(), good_trials())) {
        EXPECT_EQ(one.verdict, Verdict::good) << one.name;
        EXPECT_TRUE(one.mend.empty()) << one.name;
    }
}

TEST(Doctor, AnOrdinaryUserLearnsWhatIsNotGivenToHim) {
    sys::HostFacts host = host_with(6, 18);
    host.uid = 1000;
    Trials trials = good_trials();
    EXPECT_EQ(find(diagnose(host, good_report(), trials), "subordinate IDs"), nullptr);
    trials.delegated = false;
    trials.subordinate_ids = 0;
    trials.subordinate_hint = "as root: usermod";
    const auto all = diagnose(host, good_report(), trials);
    for (const char* name : {"cgroups", "subordinate IDs"}) {
        const Finding* one = find(all, name);
        ASSERT_NE(one, nullptr) << name;
        EXPECT_EQ(one->verdict, Verdict::limited) << name;
        EXPECT_NE(one->what.find("1000"), std::string::npos) << name;
        EXPECT_FALSE(one->mend.empty()) << name;
    }
    trials.delegated = true;
    trials.subordinate_ids = 65536;
    EXPECT_EQ(find(diagnose(host, good_report(), trials), "subordinate IDs")->verdict,
              Verdict::good);
}

TEST(Doctor, AnOrdinaryUserLearnsWhetherImagesRun) {
    Trials trials = good_trials();
    trials.subordinate_ids = 65535;
    const auto good = diagnose(host_with(6, 18), good_report(), trials);
    EXPECT_EQ(find(good, "images")->verdict, Verdict::good);
    EXPECT_EQ(find(good, "subordinate IDs")->verdict, Verdict::good);

    trials.user_images = Error{.code = Errc::denied, .message = "no overlay", .hint = "mend"};
    trials.subordinate_ids = 100;
    trials.subordinate_hint = "as root: usermod";
    const auto bad = diagnose(host_with(6, 18), good_report(), trials);
    EXPECT_EQ(find(bad, "images")->verdict, Verdict::broken);
    EXPECT_EQ(find(bad, "images")->mend, "mend");
    EXPECT_EQ(find(bad, "subordinate IDs")->verdict, Verdict::limited);
    EXPECT_EQ(find(bad, "subordinate IDs")->mend, "as root: usermod");
    EXPECT_EQ(find(bad, "subordinate IDs")->what,
              "100: images with files of users above 100 cannot be run");
}

TEST(Doctor, WhatIsNotGoodSaysHowToMendIt) {
    HostReport report = good_report();
    report.cgroup_controllers = {"cpu"};
    report.features = {{.name = "overlay", .available = false, .reason = "no"},
                       {.name = "seccomp", .available = false, .reason = "no"},
                       {.name = "user_namespace", .available = false, .reason = "no"}};
    Trials trials = good_trials();
    trials.erofs_layers.available = false;
    trials.namespaces = Error{.code = Errc::denied, .message = "clone3: denied", .hint = {}};
    trials.newuidmap = trials.ps = trials.criu = false;
    trials.damaged = 2;
    const auto all = diagnose(host_with(5, 4), report, trials);
    for (const char* name : {"kernel",
                             "cgroups",
                             "overlay",
                             "seccomp",
                             "user namespaces",
                             "namespaces",
                             "erofs layers",
                             "newuidmap",
                             "ps",
                             "criu",
                             "containers"}) {
        const Finding* one = find(all, name);
        ASSERT_NE(one, nullptr) << name;
        EXPECT_NE(one->verdict, Verdict::good) << name;
        EXPECT_FALSE(one->mend.empty()) << name;
    }
    EXPECT_EQ(find(all, "kernel")->verdict, Verdict::broken);
    EXPECT_EQ(find(all, "cgroups")->what, "v2: no limits of memory, pids");
    EXPECT_EQ(find(diagnose(host_with(6, 1), good_report(), good_trials()), "kernel")->verdict,
              Verdict::limited);
}

}  // namespace
}  // namespace knarr::engine
