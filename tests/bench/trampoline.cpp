// What the exec trampoline and a seccomp filter cost at a start, as paired runs in one process:
//
//     bench_trampoline [PROGRAM] [ROUNDS]      (default: the static program bench_true, 300)
//
// Each round starts PROGRAM directly, through the trampoline, with podman's filter loaded by the
// child, and with it loaded by the trampoline, one after the other.

#include "platform/trampoline.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/testdata/seccomp_profile.h"

namespace {

using Steady = std::chrono::steady_clock;

double micros_since(Steady::time_point start) {
    return std::chrono::duration<double, std::micro>(Steady::now() - start).count();
}

template <typename Child>
double time_start(const Child& run_child) {
    const auto start = Steady::now();
    const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        run_child();
        _exit(99);
    }
    int status = 0;
    waitpid(static_cast<pid_t>(child), &status, 0);
    if (status != 0) {
        std::fprintf(stderr, "the child failed with status %#x\n", status);
        std::exit(1);
    }
    return micros_since(start);
}

void show(const char* name, std::vector<double> times) {
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    std::printf("%-34s min %7.1f  median %7.1f us\n", name, times.front(), median);
}

std::vector<double> difference(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> out;
    for (std::size_t i = 0; i < a.size(); ++i) {
        out.push_back(a[i] - b[i]);
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    namespace sys = knarr::sys;
    std::string beside(argv[0]);
    beside = beside.substr(0, beside.rfind('/') + 1) + "bench_true";
    const std::string program = argc > 1 ? argv[1] : beside;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 300;
    char name[] = "true";
    char* args[] = {name, nullptr};
    char* env[] = {nullptr};
    const sys::SeccompPolicy policy = sys::testing::read_profile("podman.profile");
    std::vector<double> compiled, made, direct, by, filtered, by_filtered;
    for (int i = 0; i < rounds; ++i) {
        auto start = Steady::now();
        const sys::SeccompProgram filter = *sys::compile_seccomp(policy);
        compiled.push_back(micros_since(start));
        start = Steady::now();
        const sys::Fd trampoline = *sys::make_trampoline();
        made.push_back(micros_since(start));
        direct.push_back(time_start([&] { execve(program.c_str(), args, env); }));
        by.push_back(
            time_start([&] { sys::exec_trampoline(trampoline, program.c_str(), args, env, 2); }));
        filtered.push_back(time_start([&] {
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if (sys::load_seccomp(filter)) {
                execve(program.c_str(), args, env);
            }
        }));
        by_filtered.push_back(time_start([&] {
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            sys::exec_trampoline(trampoline, program.c_str(), args, env, 2, &filter);
        }));
    }
    show("compile podman's profile", compiled);
    show("make_trampoline", made);
    show("start directly", direct);
    show("start through the trampoline", by);
    show("  difference in pairs", difference(by, direct));
    show("filter loaded, then directly", filtered);
    show("filter loaded by the trampoline", by_filtered);
    show("  difference in pairs", difference(by_filtered, filtered));
}
