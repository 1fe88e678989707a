#include "platform/cgroup.h"

#include <csignal>
#include <cstdlib>
#include <functional>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/cgroup_devices.h"
#include "platform/file.h"
#include "platform/host_facts.h"

namespace knarr::sys {
namespace {

std::string text_of(const std::string& path) {
    Result<std::string> text = read_file(path, 1U << 20U);
    if (!text) {
        return "(" + text.error().message + ")";
    }
    while (text->ends_with('\n')) {
        text->pop_back();
    }
    return *text;
}

bool exists(const std::string& path) {
    return access(path.c_str(), F_OK) == 0;
}

/// A process that does `work` and ends with its result; killed and reaped with the object.
class Child {
public:
    explicit Child(const std::function<int()>& work) {
        const auto pid = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
        if (pid == 0) {
            _exit(work());
        }
        pid_ = pid;
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    pid_t pid() const { return pid_; }
    int wait() {
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    pid_t pid_ = -1;
};

int sleep_forever() {
    while (true) {
        pause();
    }
}

class Cgroup : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) {
            GTEST_SKIP() << "needs root to make cgroups";
        }
        facts_ = *probe_host();
        if (facts_.cgroups.empty()) {
            GTEST_SKIP() << "no cgroup hierarchy is mounted";
        }
        for (const CgroupHierarchy& one : facts_.cgroups) {
            std::string controllers;
            for (const std::string& name : one.controllers) {
                controllers += (controllers.empty() || one.v2 ? "" : ",") + name;
            }
            plan_.dirs.push_back({.controllers = one.v2 ? "" : controllers,
                                  .mount_point = one.mount_point,
                                  .path = top_ + "/box",
                                  .writes = {}});
        }
        plan_.v2 = facts_.cgroup_layout == CgroupLayout::v2;
    }
    void TearDown() override {
        CgroupPlan all = plan_;
        for (CgroupDir& dir : all.dirs) {
            dir.path = top_;
        }
        const Result<> killed = kill_cgroup(all);
        EXPECT_TRUE(killed) << killed.error().message;
        const Result<> removed = remove_cgroup(all);
        EXPECT_TRUE(removed) << removed.error().message;
        for (const CgroupDir& dir : all.dirs) {
            EXPECT_FALSE(exists(dir.mount_point + dir.path));
        }
    }
    CgroupDir* dir_of(std::string_view controller) {
        const CgroupHierarchy* found = facts_.hierarchy_of(controller);
        for (CgroupDir& dir : plan_.dirs) {
            if (found != nullptr && dir.mount_point == found->mount_point) {
                return &dir;
            }
        }
        return nullptr;
    }
    static std::string place(const CgroupDir& dir) { return dir.mount_point + dir.path; }

    const std::string top_ = fmt::format("/knarr-test-{}", getpid());
    HostFacts facts_;
    CgroupPlan plan_;
};

TEST_F(Cgroup, IsMadeInEveryHierarchyWithItsTextsAndRemovedAgain) {
    CgroupDir* pids = dir_of("pids");
    if (pids == nullptr) {
        GTEST_SKIP() << "no pids controller";
    }
    pids->writes.push_back({.file = "pids.max", .text = "17"});
    plan_.enable = {"pids"};

    const Result<> made = make_cgroup(plan_);
    ASSERT_TRUE(made) << made.error().message;

    EXPECT_EQ(text_of(place(*pids) + "/pids.max"), "17");
    ASSERT_TRUE(remove_cgroup(plan_));
    EXPECT_FALSE(exists(place(*pids)));
    EXPECT_TRUE(remove_cgroup(plan_)) << "absence is success";
}

TEST_F(Cgroup, CpusetsAreCopiedDownSoThatAProcessCanJoin) {
    CgroupDir* cpuset = dir_of("cpuset");
    if (cpuset == nullptr || plan_.v2) {
        GTEST_SKIP() << "no v1 cpuset hierarchy";
    }
    ASSERT_TRUE(make_cgroup(plan_));

    EXPECT_EQ(text_of(place(*cpuset) + "/cpuset.cpus"),
              text_of(cpuset->mount_point + "/cpuset.cpus"));
    EXPECT_FALSE(text_of(place(*cpuset) + "/cpuset.mems").empty());
}

TEST_F(Cgroup, JoinedProcessesAreListedKilledAndGone) {
    ASSERT_TRUE(make_cgroup(plan_));
    Child child(sleep_forever);

    const Result<> joined = join_cgroup(plan_, child.pid());
    ASSERT_TRUE(joined) << joined.error().message;
    EXPECT_EQ(*cgroup_pids(plan_), std::vector<pid_t>{child.pid()});

    const Result<> removed = remove_cgroup(plan_);
    ASSERT_FALSE(removed);
    EXPECT_NE(removed.error().message.find(fmt::format("processes {}", child.pid())),
              std::string::npos)
        << removed.error().message;

    ASSERT_TRUE(kill_cgroup(plan_));
    EXPECT_EQ(child.wait(), -SIGKILL);
    EXPECT_TRUE(cgroup_pids(plan_)->empty());
}

TEST_F(Cgroup, KillReachesProcessesInCgroupsBelow) {
    ASSERT_TRUE(make_cgroup(plan_));
    CgroupPlan below = plan_;
    for (CgroupDir& dir : below.dirs) {
        dir.path += "/a.b/c";
    }
    ASSERT_TRUE(make_cgroup(below));
    Child child(sleep_forever);
    ASSERT_TRUE(join_cgroup(below, child.pid()));

    EXPECT_EQ(cgroup_pids(plan_)->size(), 1U);
    ASSERT_TRUE(kill_cgroup(plan_));
    EXPECT_EQ(child.wait(), -SIGKILL);
    EXPECT_TRUE(remove_cgroup(plan_));
}

TEST_F(Cgroup, OneIsRemovedHoweverDeepACgroupLiesInIt) {
    ASSERT_TRUE(make_cgroup(plan_));
    const CgroupDir& place = plan_.dirs.front();
    // Its path is longer than a path may be.
    Fd dir = open_path(place.mount_point + place.path, O_RDONLY | O_DIRECTORY).value();
    const std::string name(200, 'd');
    for (int depth = 0; depth < 100; ++depth) {
        ASSERT_TRUE(make_dir_at(dir, name, 0755)) << depth;
        dir = open_at(dir, name, O_RDONLY | O_DIRECTORY).value();
    }
    Child child(sleep_forever);
    ASSERT_TRUE(write_file_at(dir, "cgroup.procs", std::to_string(child.pid())));
    const Result<> killed = kill_cgroup(plan_);
    ASSERT_TRUE(killed) << killed.error().message;
    EXPECT_EQ(child.wait(), -SIGKILL);
    const Result<> removed = remove_cgroup(plan_);
    EXPECT_TRUE(removed) << removed.error().message;
    EXPECT_FALSE(exists(place.mount_point + place.path));
}

TEST_F(Cgroup, AFrozenProcessIsThawedToDie) {
    CgroupDir* freezer = plan_.v2 ? &plan_.dirs.front() : dir_of("freezer");
    if (freezer == nullptr) {
        GTEST_SKIP() << "no freezer";
    }
    ASSERT_TRUE(make_cgroup(plan_));
    Child child(sleep_forever);
    ASSERT_TRUE(join_cgroup(plan_, child.pid()));
    const Result<Fd> dir = open_path(place(*freezer), O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(write_file_at(
        *dir, plan_.v2 ? "cgroup.freeze" : "freezer.state", plan_.v2 ? "1" : "FROZEN"));

    const Result<> killed = kill_cgroup(plan_);
    ASSERT_TRUE(killed) << killed.error().message;
    EXPECT_EQ(child.wait(), -SIGKILL);
}

TEST_F(Cgroup, OneThatIsFrozenIsRefused) {
    CgroupDir* freezer = plan_.v2 ? &plan_.dirs.front() : dir_of("freezer");
    if (freezer == nullptr) {
        GTEST_SKIP() << "no freezer";
    }
    ASSERT_TRUE(make_cgroup(plan_));
    const std::string state = place(*freezer) + (plan_.v2 ? "/cgroup.freeze" : "/freezer.state");
    ASSERT_TRUE(write_file_at(Fd(), state, plan_.v2 ? "1" : "FROZEN"));
    CgroupPlan below = plan_;
    for (CgroupDir& dir : below.dirs) {
        dir.path += "/below";
    }

    for (const CgroupPlan& plan : {plan_, below}) {
        const Result<> made = make_cgroup(plan);

        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, Errc::wrong_state);
        EXPECT_TRUE(made.error().message.starts_with("container's cgroup unexpectedly frozen"))
            << made.error().message;
    }
    EXPECT_FALSE(exists(place(*freezer) + "/below"));
    ASSERT_TRUE(write_file_at(Fd(), state, plan_.v2 ? "0" : "THAWED"));
    EXPECT_TRUE(make_cgroup(plan_));
}

TEST_F(Cgroup, OneThatHoldsProcessesIsRefused) {
    ASSERT_TRUE(make_cgroup(plan_));
    ASSERT_TRUE(make_cgroup(plan_)) << "an empty one that is there is taken";
    Child child(sleep_forever);
    ASSERT_TRUE(join_cgroup(plan_, child.pid()));

    const Result<> again = make_cgroup(plan_);

    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::already_exists);
    EXPECT_NE(again.error().message.find(top_ + "/box is in use by 1 process"), std::string::npos)
        << again.error().message;
}

TEST_F(Cgroup, OneWithOthersBelowIsTakenOnlyWhenItWasAskedFor) {
    ASSERT_TRUE(make_cgroup(plan_));
    plan_.named_by_id = true;
    ASSERT_TRUE(make_cgroup(plan_)) << "an empty one may be a leftover";
    CgroupPlan below = plan_;
    for (CgroupDir& dir : below.dirs) {
        dir.path += "/below";
    }
    ASSERT_TRUE(make_cgroup(below));

    const Result<> made = make_cgroup(plan_);

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::already_exists);
    EXPECT_NE(made.error().message.find("has others below it"), std::string::npos);
    plan_.named_by_id = false;
    EXPECT_TRUE(make_cgroup(plan_));
    EXPECT_TRUE(remove_cgroup(below));
}

TEST_F(Cgroup, AFileThatIsNotThereNamesThePropertyAndLeavesNothing) {
    CgroupDir& last = plan_.dirs.back();
    last.writes.push_back({.file = "rdma.max", .text = "x", .property = "linux.resources.rdma"});

    const Result<> made = make_cgroup(plan_);

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::unsupported) << made.error().message;
    EXPECT_TRUE(made.error().message.starts_with("linux.resources.rdma: cgroup "))
        << made.error().message;
    for (const CgroupDir& dir : plan_.dirs) {
        EXPECT_FALSE(exists(place(dir)));
    }
}

TEST_F(Cgroup, AnOptionalTextMayFailAndAnotherFileMayTakeItsPlace) {
    CgroupDir* pids = dir_of("pids");
    if (pids == nullptr) {
        GTEST_SKIP() << "no pids controller";
    }
    plan_.enable = {"pids"};
    pids->writes = {
        {.file = "pids.nothing", .text = "1", .optional = true},
        {.file = "pids.max", .text = "rubbish", .optional = true},
        {.file = "pids.other", .text = "1", .other_file = "pids.max", .other_text = "9"}};

    const Result<> made = make_cgroup(plan_);

    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(text_of(place(*pids) + "/pids.max"), "9");
}

TEST_F(Cgroup, AValueThatTheKernelRefusesIsInvalidConfig) {
    CgroupDir* pids = dir_of("pids");
    if (pids == nullptr) {
        GTEST_SKIP() << "no pids controller";
    }
    plan_.enable = {"pids"};
    pids->writes = {
        {.file = "pids.max", .text = "rubbish", .property = "linux.resources.pids.limit"}};

    const Result<> made = make_cgroup(plan_);

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid_config);
    EXPECT_TRUE(made.error().message.starts_with(
        "linux.resources.pids.limit: the kernel refuses \"rubbish\" for "))
        << made.error().message;
}

TEST_F(Cgroup, AProcessMovesItselfIntoEveryV1Hierarchy) {
    const CgroupPlan v1 = split_ways(plan_).entered;
    if (v1.dirs.empty()) {
        GTEST_SKIP() << "no cgroup v1 hierarchy is mounted";
    }
    ASSERT_TRUE(make_cgroup(v1));
    Result<std::vector<Fd>> entries = open_entries(v1);
    ASSERT_TRUE(entries);
    Child child([&] {
        for (const Fd& entry : *entries) {
            if (!enter_cgroup(entry)) {
                return 1;
            }
        }
        for (const CgroupDir& dir : v1.dirs) {
            const CgroupPlan one{.dirs = {dir}, .enable = {}, .device_rules = {}};
            if (*cgroup_pids(one) != std::vector<pid_t>{getpid()}) {
                return 2;
            }
        }
        return 0;
    });
    EXPECT_EQ(child.wait(), 0);
}

/// The v2 hierarchy, alone or in the hybrid layout, as a plan of its own.
class CgroupV2 : public Cgroup {
protected:
    void SetUp() override {
        Cgroup::SetUp();
        if (IsSkipped()) {
            return;
        }
        std::erase_if(plan_.dirs, [](const CgroupDir& dir) { return !dir.controllers.empty(); });
        plan_.v2 = true;
        if (plan_.dirs.empty()) {
            GTEST_SKIP() << "no cgroup v2 hierarchy is mounted";
        }
    }

    /// Opens a device inside the cgroup; the errno, or 0.
    int open_inside(const char* path, int flags) {
        Child child([&] {
            const pid_t self = getpid();
            if (!join_cgroup(plan_, self)) {
                return 255;
            }
            const int fd = open(path, flags | O_CLOEXEC);
            return fd < 0 ? errno : 0;
        });
        return child.wait();
    }
};

TEST_F(CgroupV2, DeviceRulesDecideAsTheLastMatchSays) {
    plan_.device_rules = {{.allow = false},
                          {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "r"},
                          {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "w"},
                          {.allow = true, .type = 'c', .major = 1, .minor = -1, .access = "r"},
                          {.allow = false, .type = 'c', .major = 1, .minor = 7, .access = "r"}};
    const Result<> made = make_cgroup(plan_);
    if (!made && made.error().code == Errc::unsupported) {
        GTEST_SKIP() << made.error().message;
    }
    ASSERT_TRUE(made) << made.error().message;

    EXPECT_EQ(open_inside("/dev/null", O_RDWR), 0) << "two rules give one bit each";
    EXPECT_EQ(open_inside("/dev/zero", O_RDONLY), 0);
    EXPECT_EQ(open_inside("/dev/zero", O_WRONLY), EPERM);
    EXPECT_EQ(open_inside("/dev/full", O_RDONLY), EPERM) << "the later denial wins";
    EXPECT_EQ(open_inside("/dev/ptmx", O_RDWR), EPERM) << "what no rule names is denied";
}

TEST_F(CgroupV2, ALaterAllowAllOpensEverything) {
    plan_.device_rules = {{.allow = false}, {.allow = true}};
    const Result<> made = make_cgroup(plan_);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(open_inside("/dev/ptmx", O_RDWR), 0);
}

TEST_F(CgroupV2, AControllerThatV1HoldsIsExplained) {
    if (facts_.cgroup_layout != CgroupLayout::hybrid || facts_.hierarchy_of("pids") == nullptr ||
        facts_.hierarchy_of("pids")->v2) {
        GTEST_SKIP() << "pids is not held by a v1 hierarchy";
    }
    plan_.enable = {"pids"};
    plan_.dirs.front().writes = {
        {.file = "pids.max", .text = "5", .property = "linux.resources.pids.limit"}};

    const Result<> made = make_cgroup(plan_);

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::unsupported);
    EXPECT_NE(made.error().message.find("controller pids is not available in"), std::string::npos)
        << made.error().message;
}

TEST_F(CgroupV2, AProcessCanBeClonedRightIntoIt) {
    ASSERT_TRUE(make_cgroup(plan_));
    const CgroupWays ways = split_ways(plan_);
    EXPECT_TRUE(ways.entered.dirs.empty());
    const Result<Fd> dir = open_for_clone(ways.born);
    ASSERT_TRUE(dir);
    struct clone_args args{};
    args.flags = CLONE_INTO_CGROUP;
    args.exit_signal = SIGCHLD;
    args.cgroup = static_cast<std::uint64_t>(dir->get());

    const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
    if (pid == 0) {
        sleep_forever();
    }
    ASSERT_GT(pid, 0);

    EXPECT_EQ(*cgroup_pids(plan_), std::vector<pid_t>{pid});
    EXPECT_TRUE(kill_cgroup(plan_));
    waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace knarr::sys
