#include "engine/monitor_start.h"

#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "core/text.h"
#include "engine/monitor_lock.h"
#include "engine/own_log.h"
#include "platform/file.h"
#include "platform/process.h"
#include "platform/spawn.h"
#include "platform/task.h"

namespace knarr::engine {

std::vector<std::string> arguments_of(const MonitorOrder& order) {
    return {kMonitorProgram,
            order.root,
            order.id,
            fmt::format("{}", order.launcher),
            fmt::format("{}", order.watching),
            fmt::format("{}", order.beside)};
}

Result<MonitorOrder> parse_order(std::span<const std::string_view> arguments) {
    constexpr std::size_t kCount = 5;
    constexpr std::uint64_t kMaxPid = 4'194'304;
    if (arguments.size() == kCount && arguments[0].starts_with('/')) {
        const auto launcher = parse_number(arguments[2], kMaxPid);
        const auto watching = parse_number(arguments[3], kMaxPid);
        const auto beside = parse_number(arguments[4], kMaxPid);
        if (launcher && watching && beside) {
            const ContainerId id = KNARR_TRY(ContainerId::parse(arguments[1]));
            return MonitorOrder{.root = std::string(arguments[0]),
                                .id = id.text(),
                                .launcher = static_cast<pid_t>(*launcher),
                                .watching = static_cast<pid_t>(*watching),
                                .beside = static_cast<pid_t>(*beside)};
        }
    }
    return fail(Error{.code = Errc::invalid_argument,
                      .message = "the arguments are ROOT ID LAUNCHER WATCHING BESIDE",
                      .hint = "knarr starts this program by itself: knarr run -d IMAGE"});
}

namespace {

/// Becomes `program`, with nothing of this process in it but `streams` as its stdin.
Error become(const sys::Fd& program,
             const std::vector<std::string>& arguments,
             const OwnLog& log,
             const sys::Fd* streams) {
    const auto prepare = [&]() -> Result<> {
        const sys::Fd null = KNARR_TRY(sys::open_path("/dev/null", O_RDWR));
        KNARR_TRY(sys::replace_fd(streams != nullptr ? *streams : null, 0));
        KNARR_TRY(sys::replace_fd(null, 1));
        KNARR_TRY(sys::replace_fd(null, 2));
        KNARR_TRY(sys::close_on_exec_from(3));
        KNARR_TRY(sys::change_dir("/"));
        sys::reset_signals();
        return {};
    };
    if (Result<> ready = prepare(); !ready) {
        return std::move(ready).error();
    }
    std::vector<std::string> environment = environment_of(log);
    if (const std::string fault = sys::environment("KNARR_FAULT"); !fault.empty()) {
        environment.push_back("KNARR_FAULT=" + fault);  // read by test builds alone
    }
    return sys::execute(program, arguments, environment);
}

}  // namespace

Error execute_monitor(const sys::Fd& program, const MonitorOrder& order, const sys::Fd* streams) {
    return become(program, arguments_of(order), order.log, streams);
}

Result<pid_t> start_own_program(std::vector<std::string> arguments, const OwnLog& log) {
    const sys::Fd program = KNARR_TRY(sys::open_path("/proc/self/exe", O_RDONLY));
    const sys::Clone clone = KNARR_TRY(sys::clone_process(0));
    if (clone.in_child()) {
        arguments.insert(arguments.begin(), kMonitorProgram);
        static_cast<void>(become(program, arguments, log, nullptr));
        _exit(1);
    }
    return clone.pid;
}

void ensure_watched(const Context& context, const Record& record) {
    if (!record.life || (record.status != ContainerState::running && !is_pending(*record.life))) {
        return;
    }
    const auto id = ContainerId::parse(record.id);
    const auto dir = id ? context.root.open_dir(*id) : Result<sys::Fd>(fail(id.error()));
    if (dir && record.life->restart.phase == RestartPhase::launching &&
        context.root.is_locked(*dir).value_or(true)) {
        return;  // it is just being launched again
    }
    const auto watched = dir ? is_watched(*dir) : Result<bool>(true);
    if (watched && *watched) {
        return;
    }
    const Result<> adopted = watched ? adopt(context, record.id) : fail(watched.error());
    if (!adopted) {
        context.warn(fmt::format("container {}: {}", record.id, adopted.error().message));
    }
}

Result<> adopt(const Context& context, const std::string& id) {
    const sys::Fd program = KNARR_TRY(sys::open_own_program(kMonitorProgram));
    const MonitorOrder order{.root = KNARR_TRY(sys::absolute(context.root.path())),
                             .id = id,
                             .log = context.monitor_log};
    const sys::Clone clone = KNARR_TRY(sys::clone_process(0));
    if (clone.in_child()) {
        sys::new_session();
        static_cast<void>(execute_monitor(program, order, nullptr));
        _exit(1);
    }
    return {};
}

}  // namespace knarr::engine
