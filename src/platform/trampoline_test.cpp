#include "platform/trampoline.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::sys {

namespace {

// What the starter of a trampoline sees.
struct Outcome {
    int status = 0;
    std::optional<int> report;  // nothing: the descriptor was closed without a word
    std::string output;         // of the program
};

struct Attempt {
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    const SeccompProgram* filter = nullptr;
    std::function<void()> before = [] {};                 // in the child
    std::function<void(pid_t)> meanwhile = [](pid_t) {};  // in the parent
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) {
        out.push_back(const_cast<char*>(text.c_str()));
    }
    out.push_back(nullptr);
    return out;
}

Outcome run(const Attempt& attempt) {
    Pipe report = *make_pipe(), output = *make_pipe();
    const Fd trampoline = *make_trampoline();
    const auto argv = pointers(attempt.args), envp = pointers(attempt.env);
    const auto child =
        static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) {
        dup2(output.write.get(), 1);
        attempt.before();
        const int error = exec_trampoline(trampoline,
                                          attempt.path.c_str(),
                                          argv.data(),
                                          envp.data(),
                                          report.write.get(),
                                          attempt.filter);
        const bool closes = fcntl(report.write.get(), F_GETFD) == FD_CLOEXEC;
        [[maybe_unused]] const auto put = write(report.write.get(), &error, sizeof error);
        _exit(closes ? 126 : 125);
    }
    report.write.reset();
    output.write.reset();
    attempt.meanwhile(child);
    Outcome outcome;
    const std::string said = *read_all(report.read, 64);
    if (!said.empty()) {
        EXPECT_EQ(said.size(), sizeof(int));
        outcome.report.emplace();
        std::memcpy(&*outcome.report, said.data(), sizeof(int));
    }
    outcome.output = *read_all(output.read, 65536);
    waitpid(child, &outcome.status, 0);
    return outcome;
}

class TrampolineFiles : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/knarr-trampoline-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        dir_ = name;
        chmod(name, 0755);
    }
    void TearDown() override {
        for (const std::string& file : files_) {
            unlink(file.c_str());
        }
        rmdir(dir_.c_str());
    }
    std::string file(const std::string& name, const std::string& text, mode_t mode) {
        const std::string path = dir_ + "/" + name;
        const Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, mode));
        EXPECT_TRUE(write_all(fd, text));
        fchmod(fd.get(), mode);
        files_.push_back(path);
        return path;
    }
    std::string dir_;
    std::vector<std::string> files_;
};

int exit_code(const Outcome& outcome) {
    return WIFEXITED(outcome.status) ? WEXITSTATUS(outcome.status) : -1;
}

SeccompProgram allow_only(const std::vector<const char*>& names) {
    SeccompPolicy policy{.default_action = {.kind = SeccompAction::Kind::error, .data = EPERM},
                         .architectures = {},
                         .flags = 0,
                         .rules = {}};
    SeccompRule rule{
        .syscalls = {}, .action = {.kind = SeccompAction::Kind::allow}, .conditions = {}};
    for (const char* name : names) {
        rule.syscalls.push_back(*find_syscall(name));
    }
    policy.rules.push_back(rule);
    return *compile_seccomp(policy);
}

TEST_F(TrampolineFiles, AProgramRunsWithItsArgumentsAndEnvironmentAndClosesTheReport) {
    const Outcome outcome = run({.path = "/bin/sh",
                                 .args = {"name", "-c", "echo \"$0 $1 $A\"; exit 7", "zero", "one"},
                                 .env = {"A=b"}});
    EXPECT_EQ(outcome.report, std::nullopt);
    EXPECT_EQ(exit_code(outcome), 7);
    EXPECT_EQ(outcome.output, "zero one b\n");
}

TEST_F(TrampolineFiles, TheProgramInheritsNoDescriptorOfTheTrampoline) {
    const SeccompProgram filter =
        *compile_seccomp({.default_action = {.kind = SeccompAction::Kind::allow},
                          .architectures = {},
                          .flags = 0,
                          .rules = {{.syscalls = {*find_syscall("acct")},
                                     .action = {.kind = SeccompAction::Kind::error, .data = 1},
                                     .conditions = {}}}});
    const Outcome outcome =
        run({.path = "/bin/sh",
             .args = {"sh",
                      "-c",
                      "for f in /proc/self/fd/*; do [ ${f##*/} -le 2 ] || readlink $f; done"},
             .env = {},
             .filter = &filter,
             .before = [] { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }});
    EXPECT_EQ(outcome.report, std::nullopt);
    EXPECT_EQ(outcome.output.find("knarr"), std::string::npos) << outcome.output;
}

TEST_F(TrampolineFiles, FailuresOfExecveComeBackExactly) {
    EXPECT_EQ(run({.path = dir_ + "/absent", .args = {"x"}, .env = {}}).report, ENOENT);
    EXPECT_EQ(run({.path = file("plain", "#!/bin/sh\n", 0644), .args = {"x"}, .env = {}}).report,
              EACCES);
    EXPECT_EQ(run({.path = dir_, .args = {"x"}, .env = {}}).report, EACCES);
    EXPECT_EQ(run({.path = file("text", "no program\n", 0755), .args = {"x"}, .env = {}}).report,
              ENOEXEC);
    EXPECT_EQ(run({.path = file("lost", "#!/no/such\n", 0755), .args = {"x"}, .env = {}}).report,
              ENOENT);
    const Outcome failed = run({.path = "/absent", .args = {"x"}, .env = {}});
    EXPECT_EQ(exit_code(failed), 127);
}

TEST_F(TrampolineFiles, ArgumentsThatAreTooLongAreReported) {
    const Outcome one =
        run({.path = "/bin/true", .args = {"x", std::string(200'000, 'a')}, .env = {}});
    EXPECT_EQ(one.report, E2BIG);
    const Outcome many = run({.path = "/bin/true",
                              .args = std::vector<std::string>(40'000, std::string(100, 'a')),
                              .env = {}});
    EXPECT_EQ(many.report, E2BIG);
    EXPECT_EQ(exit_code(many), 126);  // exec_trampoline came back with the report closing on exec
}

TEST_F(TrampolineFiles, AFilterNeedsToAllowOnlyExecveOfTheExecCalls) {
    // What a static program needs to be started and to end; execveat, seccomp, fcntl are denied.
    const SeccompProgram filter = allow_only({"execve",
                                              "exit_group",
                                              "brk",
                                              "arch_prctl",
                                              "mmap",
                                              "mprotect",
                                              "write",
                                              "read",
                                              "fstat",
                                              "newfstatat",
                                              "openat",
                                              "close",
                                              "munmap",
                                              "pread64",
                                              "access"});
    const Outcome outcome =
        run({.path = "/bin/true", .args = {"true"}, .env = {}, .filter = &filter, .before = [] {
                 prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
             }});
    EXPECT_EQ(outcome.report, std::nullopt);
    EXPECT_EQ(exit_code(outcome), 0);
}

TEST_F(TrampolineFiles, AFilterThatWasLoadedBeforeAndKnowsExecveOnlyIsNoObstacle) {
    const SeccompProgram filter =
        *compile_seccomp({.default_action = {.kind = SeccompAction::Kind::allow},
                          .architectures = {},
                          .flags = 0,
                          .rules = {{.syscalls = {*find_syscall("execveat")},
                                     .action = {.kind = SeccompAction::Kind::error, .data = ENOSYS},
                                     .conditions = {}}}});
    const Outcome outcome = run(
        {.path = "/bin/true", .args = {"true"}, .env = {}, .filter = nullptr, .before = [&filter] {
             prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
             static_cast<void>(load_seccomp(filter).has_value());
         }});
    EXPECT_EQ(outcome.report, std::nullopt);
    EXPECT_EQ(exit_code(outcome), 0);
}

TEST_F(TrampolineFiles, AFilterThatTheKernelRefusesIsReportedAsSuch) {
    SeccompProgram broken = allow_only({"execve"});
    broken.code.back().code = 0xff;
    const Outcome outcome =
        run({.path = "/bin/true", .args = {"true"}, .env = {}, .filter = &broken, .before = [] {
                 prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
             }});
    EXPECT_EQ(outcome.report, EINVAL | kTrampolineFilterStage);
    EXPECT_EQ(exit_code(outcome), 127);
}

TEST_F(TrampolineFiles, AFilterWithAListenerIsRefusedBeforeAnythingHappens) {
    SeccompProgram filter = allow_only({"execve"});
    filter.needs_listener = true;
    const Outcome outcome =
        run({.path = "/bin/true", .args = {"true"}, .env = {}, .filter = &filter});
    EXPECT_EQ(outcome.report, EINVAL);
}

TEST_F(TrampolineFiles, AnotherUserWithoutPrivilegesCanUseIt) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root";
    }
    const SeccompProgram filter =
        *compile_seccomp({.default_action = {.kind = SeccompAction::Kind::allow},
                          .architectures = {},
                          .flags = 0,
                          .rules = {{.syscalls = {*find_syscall("acct")},
                                     .action = {.kind = SeccompAction::Kind::error, .data = 1},
                                     .conditions = {}}}});
    const Outcome outcome = run(
        {.path = "/usr/bin/id", .args = {"id", "-u"}, .env = {}, .filter = &filter, .before = [] {
             prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
             syscall(SYS_setresgid, 4242, 4242, 4242);
             syscall(SYS_setresuid, 4242, 4242, 4242);
         }});
    EXPECT_EQ(outcome.report, std::nullopt);
    EXPECT_EQ(outcome.output, "4242\n");
}

// CVE-2019-5736: what the container finds as /proc/PID/exe is the sealed trampoline.
TEST_F(TrampolineFiles, AScriptOfProcSelfExeGetsTheTrampolineNotUs) {
    const std::string script = file("evil", "#!/proc/self/exe\n", 0755);
    const Outcome outcome = run({.path = script, .args = {"evil"}, .env = {}});
    EXPECT_EQ(outcome.report, std::nullopt);
    EXPECT_EQ(exit_code(outcome), 127);  // the test program itself would have run its tests
    EXPECT_EQ(outcome.output, "");
}

TEST_F(TrampolineFiles, ProcSelfExeInsideIsASealedFile) {
    Pipe hold =
        *make_pipe();  // the trampoline, run again by the "container", reads its filter here
    const std::string control =
        fmt::format("knarr-exec:{:08x}:{:08x}:{:08x}", 0xffffffffU, hold.read.get(), 0U);
    std::string link;
    int open_error = 0, write_error = 0;
    const Outcome outcome = run(
        {.path = "/proc/self/exe",
         .args = {control, "/bin/true", "true"},
         .env = {},
         .before = [&hold] { fcntl(hold.read.get(), F_SETFD, 0); },
         .meanwhile =
             [&](pid_t child) {
                 const std::string exe = fmt::format("/proc/{}/exe", child);
                 // Until it has executed the trampoline it is this test program.
                 char text[256] = {};
                 for (int i = 0; i < 200'000 && std::strstr(text, "knarr-exec") == nullptr; ++i) {
                     const ssize_t got = readlink(exe.c_str(), text, sizeof text - 1);
                     text[got > 0 ? got : 0] = '\0';
                 }
                 link = text;
                 const Fd writable(open(exe.c_str(), O_WRONLY | O_CLOEXEC));
                 open_error = writable.valid() ? 0 : errno;
                 if (writable.valid() && write(writable.get(), "x", 1) < 0) {
                     write_error = errno;
                 }
                 hold.read.reset();
                 hold.write.reset();
             }});
    EXPECT_EQ(link, "/memfd:knarr-exec (deleted)");
    EXPECT_TRUE(open_error == ETXTBSY || open_error == EACCES || write_error == EPERM)
        << open_error << " " << write_error;
    EXPECT_EQ(exit_code(outcome), 127);  // an empty filter is refused
}

TEST_F(TrampolineFiles, TheMemoryFileIsSealedAgainstEveryChange) {
    const Fd fd = *make_trampoline();
    EXPECT_EQ(fcntl(fd.get(), F_GET_SEALS),
              F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    EXPECT_EQ(write(fd.get(), "x", 1), -1);
    EXPECT_EQ(ftruncate(fd.get(), 0), -1);
    EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_LE(stat_of(fd)->st_size, 4096);
}

}  // namespace

}  // namespace knarr::sys
