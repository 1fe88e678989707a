#include "runtime/launch/launch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/process.h"

namespace knarr::runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBusybox = "/bin/busybox";

class Launch : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) {
            GTEST_SKIP() << "needs root: namespaces and mounts";
        }
        if (access(kBusybox, X_OK) != 0) {
            GTEST_SKIP() << "needs busybox-static in /bin/busybox";
        }
        char name[] = "/tmp/knarr-launch-XXXXXX";
        base_ = mkdtemp(name);
        for (const char* dir : {"root/bin", "root/proc", "root/dev", "root/tmp", "root/etc"}) {
            fs::create_directories(base_ / dir);
        }
        fs::copy_file(kBusybox, base_ / "root/bin/busybox");
        events_.state_json = [](std::string_view, pid_t) { return std::string("{}"); };
        events_.on_created = [this](pid_t pid) -> Result<> {
            created_ = pid;
            return {};
        };
    }
    void TearDown() override {
        if (base_.empty()) {
            return;
        }
        const sys::Fd parent = *sys::open_path("/tmp", O_PATH | O_DIRECTORY);
        EXPECT_TRUE(sys::remove_tree_at(parent, base_.filename().string()));
    }

    LaunchPlan plan_of(std::vector<std::string> args) {
        LaunchPlan plan;
        plan.id = "test";
        plan.new_namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
        plan.steps = {
            {"propagation", step::Propagate{.flags = MS_SLAVE | MS_REC}},
            {"mount root", step::MountRoot{.rootfs = bundle::DirRoot{base_ / "root"}}},
            {"mount proc", step::MountFs{.fstype = "proc", .source = "proc", .target = "/proc"}},
            {"mount tmpfs", step::MountFs{.fstype = "tmpfs", .source = "tmpfs", .target = "/dev"}},
            {"device null",
             step::MakeDevice{.path = "/dev/null", .type = S_IFCHR, .major = 1, .minor = 3}},
            {"mask", step::MaskPath{.path = "/proc/cmdline"}},
            {"read-only", step::ReadonlyPath{.path = "/proc/sys"}},
            {"pivot", step::PivotRoot{}},
            {"hostname", step::SetHostname{.name = "inside"}},
        };
        plan.identity.cap_bounding = plan.identity.cap_effective = plan.identity.cap_permitted =
            (1ULL << 24) - 1;
        plan.identity.groups = {0};
        plan.identity.no_new_privs = true;
        plan.program = {.args = std::move(args), .env = {"PATH=/bin"}, .cwd = "/"};
        return plan;
    }

    /// Runs to the end; the program's output and its exit code.
    struct Outcome {
        Result<> started;
        std::string output;
        int exit_code = -1;
    };
    Outcome run(const LaunchPlan& plan) {
        sys::Pipe pipe = *sys::make_pipe();
        LaunchIo io;
        io.stdio[1] = std::move(pipe.write);
        Outcome outcome;
        Result<Launched> launched = launch(plan, std::move(io), events_);
        if (!launched) {
            outcome.started = fail(launched.error());
            return outcome;
        }
        outcome.started = open_gate(launched->gate);
        outcome.output = *sys::read_all(pipe.read, 65536);
        siginfo_t info{};
        EXPECT_EQ(waitid(P_PIDFD, static_cast<id_t>(launched->pidfd.get()), &info, WEXITED), 0);
        outcome.exit_code = info.si_status;
        return outcome;
    }

    bool no_children() {
        siginfo_t info{};
        return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
    }

    fs::path base_;
    LaunchEvents events_;
    pid_t created_ = 0;
};

TEST_F(Launch, RunsTheProgramInItsOwnRootAndNamespaces) {
    const Outcome outcome = run(plan_of(
        {"/bin/busybox", "sh", "-c", "echo pid $$; hostname; ls /; cat /proc/cmdline; exit 7"}));
    ASSERT_TRUE(outcome.started) << outcome.started.error().message;
    EXPECT_EQ(outcome.output, "pid 1\ninside\nbin\ndev\netc\nproc\ntmp\n");
    EXPECT_EQ(outcome.exit_code, 7);
    EXPECT_NE(created_, 0);
}

TEST_F(Launch, NothingOfTheUserRunsBeforeTheGateOpens) {
    sys::Pipe pipe = *sys::make_pipe();
    LaunchIo io;
    io.stdio[1] = std::move(pipe.write);
    Result<Launched> launched =
        launch(plan_of({"/bin/busybox", "echo", "x"}), std::move(io), events_);
    ASSERT_TRUE(launched);
    sys::kill_and_reap(launched->pidfd);
    EXPECT_EQ(*sys::read_all(pipe.read, 100), "");
}

TEST_F(Launch, AMissingProgramIsReportedThroughTheGate) {
    const Outcome outcome = run(plan_of({"/bin/nothing"}));
    ASSERT_FALSE(outcome.started);
    EXPECT_EQ(outcome.started.error().code, Errc::exec_not_found);
    EXPECT_NE(outcome.started.error().message.find("/bin/nothing"), std::string::npos);
}

TEST_F(Launch, AProgramWithoutItsInterpreterSaysWhichOneIsMissing) {
    std::ofstream(base_ / "root/bin/script") << "#!/usr/bin/perl\n";
    fs::permissions(base_ / "root/bin/script", fs::perms(0755));
    const Outcome outcome = run(plan_of({"script"}));
    ASSERT_FALSE(outcome.started);
    EXPECT_EQ(outcome.started.error().code, Errc::exec_not_found);
    EXPECT_NE(outcome.started.error().message.find("/usr/bin/perl"), std::string::npos);
}

TEST_F(Launch, ADirectoryAsProgramIsNamedAsOne) {
    const Outcome outcome = run(plan_of({"/etc"}));
    ASSERT_FALSE(outcome.started);
    EXPECT_EQ(outcome.started.error().code, Errc::exec_failed);
    EXPECT_NE(outcome.started.error().message.find("directory"), std::string::npos);
}

TEST_F(Launch, AForeignProgramNamesBothPlatforms) {
    std::string elf(120, '\0');
    elf.replace(0, 7, std::string("\177ELF\2\1\1", 7));
    elf[16] = 2;   // ET_EXEC
    elf[18] = 22;  // EM_S390, low byte
    std::ofstream(base_ / "root/bin/foreign") << elf;
    fs::permissions(base_ / "root/bin/foreign", fs::perms(0755));
    const Outcome outcome = run(plan_of({"foreign"}));
    ASSERT_FALSE(outcome.started);
    EXPECT_EQ(outcome.started.error().code, Errc::exec_failed);
    EXPECT_NE(outcome.started.error().message.find("s390x"), std::string::npos);
}

TEST_F(Launch, AFailingStepNamesItselfAndLeavesNoProcess) {
    for (std::size_t at = 0; at <= plan_of({"x"}).steps.size(); ++at) {
        LaunchPlan plan = plan_of({"/bin/busybox", "true"});
        const auto where = plan.steps.begin() + static_cast<std::ptrdiff_t>(at);
        plan.steps.insert(where, {"poison", step::Sysctl{.path = "no/such/key", .value = "1"}});
        const Outcome outcome = run(plan);
        ASSERT_FALSE(outcome.started) << at;
        EXPECT_EQ(outcome.started.error().message.find("poison: "), 0U)
            << outcome.started.error().message;
        EXPECT_TRUE(no_children());
    }
}

TEST_F(Launch, AFailingRecordEndsTheLaunch) {
    events_.on_created = [](pid_t) -> Result<> { return fail(Errc::no_space, "disk full"); };
    const Outcome outcome = run(plan_of({"/bin/busybox", "true"}));
    ASSERT_FALSE(outcome.started);
    EXPECT_EQ(outcome.started.error().code, Errc::no_space);
    EXPECT_TRUE(no_children());
}

TEST_F(Launch, AChildThatIsKilledWhileItIsSetUpIsNoBugOfOurs) {
    LaunchPlan plan = plan_of({"/bin/busybox", "true"});
    plan.hooks.create_runtime = {
        {.path = "/bin/sh", .args = {"sh", "-c", "read pid; kill -9 $pid"}}};
    events_.state_json = [](std::string_view, pid_t pid) { return std::to_string(pid); };
    plan.steps.push_back({"hooks", step::AwaitRuntimeHooks{}});
    const Outcome outcome = run(plan);
    ASSERT_FALSE(outcome.started);
    EXPECT_NE(outcome.started.error().message.find("signal 9"), std::string::npos)
        << outcome.started.error().message;
    EXPECT_TRUE(no_children());
}

TEST_F(Launch, ProcIsNeverMountedThroughALink) {
    fs::remove(base_ / "root/proc");
    fs::create_symlink("tmp", base_ / "root/proc");
    const Outcome outcome = run(plan_of({"/bin/busybox", "true"}));
    ASSERT_FALSE(outcome.started);
    EXPECT_EQ(outcome.started.error().code, Errc::denied);
    EXPECT_NE(outcome.started.error().message.find("symbolic link"), std::string::npos);
}

TEST_F(Launch, DevicesAreNeverMadeThroughALink) {
    LaunchPlan plan = plan_of({"/bin/busybox", "true"});
    fs::remove(base_ / "root/dev");
    fs::create_symlink("tmp", base_ / "root/dev");
    std::erase_if(plan.steps, [](const Step& step) { return step.name == "mount tmpfs"; });
    const Outcome outcome = run(plan);
    ASSERT_FALSE(outcome.started);
    EXPECT_EQ(outcome.started.error().code, Errc::denied);
    EXPECT_FALSE(fs::exists(base_ / "root/tmp/null"));
}

TEST_F(Launch, JoinsAnExistingNamespaceOfTheRightType) {
    LaunchPlan plan = plan_of({"/bin/busybox", "hostname"});
    plan.new_namespaces &= ~CLONE_NEWUTS;
    std::erase_if(plan.steps, [](const Step& step) { return step.name == "hostname"; });
    plan.joins = {{.type = CLONE_NEWUTS, .path = "/proc/self/ns/uts"}};
    const Outcome outcome = run(plan);
    ASSERT_TRUE(outcome.started) << outcome.started.error().message;
    EXPECT_EQ(outcome.exit_code, 0);

    plan.joins = {{.type = CLONE_NEWUTS, .path = "/proc/self/ns/net"}};
    const Outcome refused = run(plan);
    ASSERT_FALSE(refused.started);
    EXPECT_EQ(refused.started.error().code, Errc::invalid_config);
    EXPECT_TRUE(no_children());
}

TEST_F(Launch, AUserNamespaceMapsRoot) {
    LaunchPlan plan = plan_of({"/bin/busybox", "cat", "/proc/self/uid_map"});
    plan.new_namespaces |= CLONE_NEWUSER;
    plan.id_maps = IdMaps{.uids = {{0, 100000, 1000}}, .gids = {{0, 100000, 1000}}};
    fs::permissions(base_, fs::perms(0755));
    const Outcome outcome = run(plan);
    ASSERT_TRUE(outcome.started) << outcome.started.error().message;
    EXPECT_NE(outcome.output.find("100000"), std::string::npos);
}

}  // namespace
}  // namespace knarr::runtime
