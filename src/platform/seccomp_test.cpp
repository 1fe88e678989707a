#include "platform/seccomp.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>

#include <linux/audit.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/seccomp_bpf.h"
#include "platform/testdata/bpf_interpreter.h"
#include "platform/testdata/seccomp_profile.h"

namespace knarr::sys {

namespace {

using Kind = SeccompAction::Kind;

SeccompRule rule(const char* name,
                 SeccompAction action,
                 std::vector<SeccompCondition> conditions = {}) {
    return {
        .syscalls = {*find_syscall(name)}, .action = action, .conditions = std::move(conditions)};
}

constexpr SeccompAction kAllow{.kind = Kind::allow};

constexpr SeccompAction errno_action(std::uint16_t number) {
    return {.kind = Kind::error, .data = number};
}

std::uint32_t verdict(const SeccompProgram& program, const char* name, std::uint64_t arg0 = 0) {
    const auto number = number_of(*find_syscall(name), SeccompArch::x86_64);
    seccomp_data call{.nr = static_cast<int>(*number),
                      .arch = AUDIT_ARCH_X86_64,
                      .instruction_pointer = 0,
                      .args = {arg0, 0, 0, 0, 0, 0}};
    return testing::run_bpf(program.code, call).value_or(0xdead);
}

// Runs `body` in a child under the filter; its return value is the exit status.
int run_filtered(const SeccompProgram& program, const std::function<int()>& body) {
    const auto child =
        static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !load_seccomp(program)) {
            _exit(100);
        }
        _exit(body());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

TEST(Seccomp, TheFirstRuleWithoutConditionsWins) {
    const auto program =
        compile_seccomp({.default_action = kAllow,
                         .architectures = {},
                         .rules = {rule("read", errno_action(5)), rule("read", errno_action(6))}});
    ASSERT_TRUE(program);
    EXPECT_EQ(verdict(*program, "read"), SECCOMP_RET_ERRNO | 5U);
}

TEST(Seccomp, ARuleWithTheDefaultActionSaysNothing) {
    const auto program =
        compile_seccomp({.default_action = errno_action(1),
                         .architectures = {},
                         .rules = {rule("read", errno_action(1)), rule("read", kAllow)}});
    ASSERT_TRUE(program);
    EXPECT_EQ(verdict(*program, "read"), SECCOMP_RET_ALLOW);
}

TEST(Seccomp, ContradictingConditionsAreRefusedByName) {
    const SeccompCondition one{.index = 0, .op = SeccompOp::eq, .value = 1};
    const auto program = compile_seccomp(
        {.default_action = kAllow,
         .architectures = {},
         .rules = {rule("read", errno_action(5), {one}), rule("read", errno_action(6), {one})}});
    ASSERT_FALSE(program);
    EXPECT_EQ(program.error().code, Errc::invalid_config);
    EXPECT_NE(program.error().message.find("read"), std::string::npos);
}

TEST(Seccomp, AnArgumentAboveFiveAndAnErrnoAboveFourThousandAreRefused) {
    const auto argument = compile_seccomp(
        {.default_action = kAllow,
         .architectures = {},
         .rules = {rule("read", errno_action(5), {{.index = 6, .op = SeccompOp::eq}})}});
    const auto number =
        compile_seccomp({.default_action = errno_action(4095), .architectures = {}, .rules = {}});
    ASSERT_FALSE(argument);
    ASSERT_FALSE(number);
    EXPECT_EQ(argument.error().code, Errc::invalid_config);
    EXPECT_EQ(number.error().code, Errc::invalid_config);
}

TEST(Seccomp, AFilterThatIsTooLongForTheKernelIsRefused) {
    SeccompPolicy policy{.default_action = kAllow, .architectures = {}, .rules = {}};
    for (std::uint64_t i = 0; i < 3000; ++i) {
        policy.rules.push_back(
            rule("read", errno_action(5), {{.index = 0, .op = SeccompOp::eq, .value = i << 20}}));
    }
    const auto program = compile_seccomp(policy);
    ASSERT_FALSE(program);
    EXPECT_EQ(program.error().code, Errc::limit_exceeded);
}

TEST(Seccomp, AListenerIsNeededOnlyWhenACallIsNotified) {
    const auto without = compile_seccomp(
        {.default_action = kAllow, .architectures = {}, .rules = {rule("read", errno_action(5))}});
    const auto with = compile_seccomp({.default_action = kAllow,
                                       .architectures = {},
                                       .rules = {rule("mkdir", {.kind = Kind::notify})}});
    ASSERT_TRUE(without && with);
    EXPECT_FALSE(without->needs_listener);
    EXPECT_TRUE(with->needs_listener);
}

TEST(Seccomp, PodmansProfileCompilesInMicrosecondsIntoAShortProgram) {
    const SeccompPolicy policy = testing::read_profile("podman.profile");
    auto best = std::chrono::steady_clock::duration::max();
    std::size_t size = 0;
    for (int i = 0; i < 50; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const auto program = compile_seccomp(policy);
        best = std::min(best, std::chrono::steady_clock::now() - start);
        ASSERT_TRUE(program);
        size = program->code.size();
    }
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(best).count();
    RecordProperty("best_us", static_cast<int>(micros));
    RecordProperty("instructions", static_cast<int>(size));
    EXPECT_LT(size, 800U);
    EXPECT_LT(micros, 2000);  // 60 to 200 us on a quiet machine; libseccomp takes 65 ms
}

TEST(SeccompKernel, AFilteredCallFailsWithTheErrnoAndOthersWork) {
    const auto program = compile_seccomp(
        {.default_action = kAllow,
         .architectures = {SeccompArch::x86, SeccompArch::x32},
         .rules = {rule(
             "socket", errno_action(95), {{.index = 0, .op = SeccompOp::eq, .value = AF_VSOCK}})}});
    ASSERT_TRUE(program);
    const int status = run_filtered(*program, [] {
        const bool vsock = socket(AF_VSOCK, SOCK_STREAM, 0) == -1 && errno == 95;
        const bool local = socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
        return vsock && local ? 0 : 1;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(SeccompKernel, AKilledCallEndsTheProcessWithSigsys) {
    const auto program = compile_seccomp({.default_action = kAllow,
                                          .architectures = {},
                                          .rules = {rule("uname", {.kind = Kind::kill_process})}});
    ASSERT_TRUE(program);
    const int status = run_filtered(*program, [] {
        char buffer[400];
        return static_cast<int>(syscall(SYS_uname, buffer));
    });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

TEST(SeccompKernel, TheKernelTakesPodmansProfile) {
    const auto program = compile_seccomp(testing::read_profile("podman.profile"));
    ASSERT_TRUE(program);
    const int status = run_filtered(
        *program, [] { return syscall(SYS_swapoff, nullptr) == -1 && errno == EPERM ? 0 : 1; });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(SeccompKernel, AListenersDescriptorIsHandedBack) {
    const auto program = compile_seccomp({.default_action = kAllow,
                                          .architectures = {},
                                          .rules = {rule("mkdir", {.kind = Kind::notify})}});
    ASSERT_TRUE(program);
    const auto child =
        static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        const auto listener = load_seccomp(*program);
        _exit(listener && listener->valid() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(SeccompKernel, AFilterThatTheKernelRefusesIsAnError) {
    const auto loaded = load_seccomp({.code = {}, .flags = 0, .needs_listener = false});
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().sys_errno, EINVAL);
}

// The copy may be the very instruction for which the program's memory has to grow.
TEST(BpfWriter, AFarReturnIsCopiedOnceWhateverTheProgramsLength) {
    constexpr std::uint32_t kValue = SECCOMP_RET_ERRNO | 38;
    for (std::size_t length = 256; length < 1100; ++length) {
        BpfWriter writer;
        const BpfLabel far = writer.put_return(kValue);
        for (std::size_t i = 0; i < length; ++i) {
            writer.put(BPF_LD | BPF_W | BPF_ABS, 0);
        }
        writer.put_jump(BPF_JMP | BPF_JEQ | BPF_K, 1, far, writer.here());
        const std::size_t size = writer.size();
        ASSERT_EQ(size, length + 3) << "a return, a jump and a copy of the return";
        writer.put_return(kValue);
        ASSERT_EQ(writer.size(), size) << "the copy is near, but another was written";
    }
}

}  // namespace

}  // namespace knarr::sys
