#include <csignal>

#include "core/text.h"
#include "platform/run_program.h"
#include "platform/signal.h"
#include "runtime/launch/launch.h"

namespace knarr::runtime {

namespace {

constexpr int kHookTimeoutSeconds = 60;  // of one that names none

Result<> run_hook(const spec::Hook& hook,
                  const std::string& state,
                  const HookOutput& output,
                  const sys::Confined& confined) {
    sys::Program program{.path = hook.path, .args = hook.args, .env = hook.env, .input = state};
    program.confined = confined;
    program.output = output.out.valid() ? &output.out : nullptr;
    program.errors = output.err.valid() ? &output.err : nullptr;
    if (program.args.empty()) {
        program.args.push_back(hook.path);
    }
    program.timeout = std::chrono::seconds(hook.timeout.value_or(kHookTimeoutSeconds));
    const sys::Ended ended = KNARR_TRY(sys::run_program(program));
    if (ended.timed_out) {
        auto late =
            fail(Errc::hook_failed, "ran longer than {} s and was killed", program.timeout.count());
        return fail(std::move(late).error().advise("give the hook a longer timeout"));
    }
    if (ended.signal == SIGSYS) {
        auto forbidden = fail(Errc::hook_failed, "ended by SIGSYS (bad system call)");
        return fail(std::move(forbidden).error().advise(
            "it runs under linux.seccomp, which has to allow what it calls"));
    }
    if (ended.signal != 0) {
        return fail(Errc::hook_failed, "ended by {}", sys::signal_name(ended.signal));
    }
    if (ended.exit_code != 0) {
        return fail(Errc::hook_failed,
                    "exit status {}{}{}",
                    ended.exit_code,
                    ended.error_output.empty() ? "" : ": ",
                    printable(ended.error_output, 512));
    }
    return {};
}

}  // namespace

Result<> run_hooks(const std::vector<spec::Hook>& hooks,
                   std::string_view point,
                   const std::string& state,
                   const HookOutput& output,
                   const sys::Confined& confined) {
    for (const spec::Hook& hook : hooks) {
        Result<> done = run_hook(hook, state, output, confined);
        if (!done) {
            Error error = std::move(done).error();
            error.code = Errc::hook_failed;
            return fail(std::move(error).within(
                fmt::format("error running hook {} ({})", printable(hook.path), point)));
        }
    }
    return {};
}

}  // namespace knarr::runtime
