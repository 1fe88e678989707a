#include "platform/worker.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/mount.h"

namespace knarr::sys {
namespace {

class WorkerTest : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) {
            GTEST_SKIP() << "needs root";
        }
        char name[] = "/tmp/knarr-worker-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        path_ = name;
        dir_ = open_path(path_, O_RDONLY | O_DIRECTORY).value();
        root_ = clone_mount(dir_, false).value();
    }
    void TearDown() override {
        if (!path_.empty()) {
            const Fd tmp = open_path("/tmp", O_RDONLY | O_DIRECTORY).value();
            EXPECT_TRUE(remove_tree_at(tmp, path_.substr(5)));
        }
    }
    WorkerJail jail() const { return {.root = &root_, .keep = {}}; }

    std::string path_;
    Fd dir_, root_;
};

TEST_F(WorkerTest, HandsBackBytes) {
    Worker worker = Worker::start(jail(), []() -> Result<std::string> {
                        return std::string("a\0b", 3);
                    }).value();
    pollfd ready{.fd = worker.result_fd().get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&ready, 1, 10'000), 1);
    EXPECT_EQ(worker.finish().value(), std::string("a\0b", 3));
}

TEST_F(WorkerTest, HandsBackAnErrorWithCodeErrnoAndHint) {
    Worker worker = Worker::start(jail(), []() -> Result<std::string> {
                        return fail(make_errno(ENOSPC, "write x").advise("make room"));
                    }).value();
    const auto result = worker.finish();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::no_space);
    EXPECT_EQ(result.error().sys_errno, ENOSPC);
    EXPECT_EQ(result.error().hint, "make room");
    EXPECT_NE(result.error().message.find("write x"), std::string::npos);
}

TEST_F(WorkerTest, SaysWhichSignalEndedIt) {
    Worker worker = Worker::start(jail(), []() -> Result<std::string> {
                        *reinterpret_cast<volatile int*>(8) = 1;
                        return "";
                    }).value();
    const auto result = worker.finish();
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("SIGSEGV"), std::string::npos) << result.error().message;
}

TEST_F(WorkerTest, SeesNothingButItsRoot) {
    const Fd other = open_path("/etc/passwd", O_RDONLY).value();
    const int foreign = other.get();
    Worker worker = Worker::start(jail(), [&]() -> Result<std::string> {
                        std::string seen;
                        for (const char* path : {"/etc/passwd", "/proc/self", "../../etc/passwd"}) {
                            if (access(path, F_OK) == 0) {
                                seen += path;
                            }
                        }
                        if (openat(root_.get(), "../../../etc/passwd", O_RDONLY | O_CLOEXEC) >= 0) {
                            seen += "through the root's descriptor";
                        }
                        if (fcntl(foreign, F_GETFD) != -1) {
                            seen += "a foreign descriptor";
                        }
                        KNARR_TRY(make_dir_at(root_, "made", 0700));
                        return seen;
                    }).value();
    EXPECT_EQ(worker.finish().value(), "");
    EXPECT_TRUE(stat_at(dir_, "made").value().has_value());
}

TEST_F(WorkerTest, KeepsOnlyTheCapabilitiesItWasGiven) {
    WorkerJail chown_only = jail();
    chown_only.capabilities = 1ULL << CAP_CHOWN;
    Worker worker = Worker::start(chown_only, [&]() -> Result<std::string> {
                        const bool owner = fchownat(root_.get(), "", 7, 7, AT_EMPTY_PATH) == 0;
                        const bool device =
                            mknodat(root_.get(), "null", S_IFCHR | 0600, 0x103) == 0;
                        return fmt::format("{} {}", owner, device);
                    }).value();
    EXPECT_EQ(worker.finish().value(), "true false");
}

TEST_F(WorkerTest, MakesNoSystemCallsBeyondTheKindThatItWasGiven) {
    struct Case {
        const char* name;
        std::function<bool()> call;
        bool with_files;  // a worker that unpacks may
    };
    const std::vector<Case> cases{
        {"socket", [] { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }, false},
        {"process", [] { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0; }, false},
        {"namespace", [] { return syscall(SYS_unshare, CLONE_NEWUSER) >= 0; }, false},
        {"mount", [] { return syscall(SYS_fsopen, "tmpfs", 0) >= 0; }, false},
        {"open", [] { return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY) >= 0; }, true},
        {"code",
         [] {
             return mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                    MAP_FAILED;
         },
         true},
    };
    for (const Case& one : cases) {
        for (const WorkerCalls calls : {WorkerCalls::files, WorkerCalls::bytes}) {
            WorkerJail narrow = jail();
            narrow.calls = calls;
            const auto result = Worker::start(narrow,
                                              [&]() -> Result<std::string> {
                                                  return one.call() ? "done" : "refused";
                                              })
                                    .value()
                                    .finish();
            const bool may = one.with_files && calls == WorkerCalls::files;
            EXPECT_EQ(result.value_or("ended") == "done", may) << one.name;
            if (!may && !result) {
                EXPECT_NE(result.error().message.find("SIGSYS"), std::string::npos);
            }
        }
    }
}

TEST_F(WorkerTest, IsKilledWithItsHandle) {
    Pipe pipe = make_pipe().value();
    {
        WorkerJail with_pipe = jail();
        with_pipe.keep = {&pipe.write};
        Worker worker = Worker::start(with_pipe, []() -> Result<std::string> {
                            while (true) {
                                pause();
                            }
                        }).value();
        pipe.write.reset();
    }
    char byte = 0;
    EXPECT_EQ(read_some(pipe.read, {&byte, 1}).value(), 0U);  // its copy of the pipe is gone
}

TEST_F(WorkerTest, RefusesAResultThatIsTooLong) {
    WorkerJail small = jail();
    small.max_result_bytes = 1000;
    Worker worker = Worker::start(small, []() -> Result<std::string> {
                        return std::string(1'000'000, 'x');
                    }).value();
    EXPECT_EQ(worker.finish().error().code, Errc::limit_exceeded);
}

TEST(RemoveTree, CopesWithTreesDeeperThanTheDescriptorLimit) {
    char name[] = "/tmp/knarr-deep-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    Fd here = open_path(name, O_RDONLY | O_DIRECTORY).value();
    for (int depth = 0; depth < 3000; ++depth) {
        ASSERT_TRUE(make_dir_at(here, "d", 0700));
        ASSERT_TRUE(make_device_at(here, "f", S_IFREG | 0600, 0));
        here = open_at(here, "d", O_RDONLY | O_DIRECTORY).value();
    }
    here.reset();
    const Fd tmp = open_path("/tmp", O_RDONLY | O_DIRECTORY).value();
    const auto removed = remove_tree_at(tmp, std::string(name).substr(5));
    EXPECT_TRUE(removed) << removed.error().message;
    EXPECT_FALSE(stat_at(tmp, std::string(name).substr(5)).value());
}

}  // namespace
}  // namespace knarr::sys
