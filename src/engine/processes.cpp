#include "engine/processes.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "core/words.h"
#include "engine/live.h"
#include "platform/file.h"
#include "platform/run_program.h"

namespace knarr::engine {

namespace {

constexpr std::chrono::seconds kMaxWait{60};
constexpr std::size_t kMaxTable = 64 * size::kMiB;  // 4 million processes have shorter lines

/// All processes in the pid namespace of this one, not in those below it.
Result<std::vector<int>> in_pid_namespace_of(pid_t first) {
    const sys::Fd proc = KNARR_TRY(sys::open_path("/proc", O_RDONLY | O_DIRECTORY));
    const auto space_of = [&](std::string_view pid) {
        return sys::read_link_at(proc, fmt::format("{}/ns/pid", pid));
    };
    const std::string space = KNARR_TRY(space_of(fmt::format("{}", first)));
    std::vector<int> pids;
    for (const std::string& name : KNARR_TRY(sys::list_dir(proc))) {
        const auto pid = parse_number(name, INT32_MAX);
        // Others' processes do not tell; one that has just ended has none.
        if (const auto its = pid ? space_of(name) : std::string(); its && *its == space) {
            pids.push_back(static_cast<int>(*pid));
        }
    }
    return pids;
}

}  // namespace

Result<std::vector<int>> processes_of(const Context& context, const ContainerId& id) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    if (seen.record.cgroup) {
        const auto pids =
            KNARR_TRY(sys::cgroup_pids(*seen.record.cgroup), "container {}", id.text());
        return std::vector<int>(pids.begin(), pids.end());
    }
    if (!seen.live.process.valid()) {
        return std::vector<int>{};
    }
    if (seen.record.own_pid_namespace) {
        return in_pid_namespace_of(seen.record.pid);
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = fmt::format("the processes of container {} cannot be told from "
                                             "others: it has no cgroup of its own",
                                             id.text()),
                      .hint = fmt::format("its first process is {}", seen.record.pid)});
}

Result<std::string> lines_about(std::string_view table, const std::vector<int>& pids) {
    std::string out;
    std::optional<std::size_t> column;
    for (const std::string_view line : split(table, '\n')) {
        const std::vector<std::string_view> parts = words(line);
        if (parts.empty()) {
            continue;
        }
        if (!column) {
            const auto at = std::ranges::find(parts, "PID");
            if (at == parts.end()) {
                return fail(Error{.code = Errc::invalid_argument,
                                  .message = "the table of ps has no column PID",
                                  .hint = "give options with which ps shows it: knarr ps ID -ef"});
            }
            column = at - parts.begin();
            out += fmt::format("{}\n", line);
            continue;
        }
        const auto pid =
            *column < parts.size() ? parse_number(parts[*column], INT32_MAX) : std::nullopt;
        if (pid && std::ranges::find(pids, static_cast<int>(*pid)) != pids.end()) {
            out += fmt::format("{}\n", line);
        }
    }
    return out;
}

Result<std::string> process_table(const Context& context,
                                  const ContainerId& id,
                                  const std::vector<std::string>& options) {
    KNARR_TRY(look_at(context, id));
    const std::optional<std::string> path = sys::find_program("ps");
    if (!path) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "there is no program ps in PATH, which makes the table",
                          .hint = "install it (Debian: procps), or use knarr ps --format json ID"});
    }
    sys::Program program{.path = *path,
                         .args = {"ps"},
                         .env = sys::whole_environment(),
                         .input = {},
                         .timeout = kMaxWait,
                         .max_output = kMaxTable};
    program.args.insert(program.args.end(), options.begin(), options.end());
    if (options.empty()) {
        program.args.emplace_back("-ef");
    }
    const sys::Ended ended = KNARR_TRY(sys::run_program(program));
    if (ended.timed_out || ended.signal != 0 || ended.exit_code != 0) {
        return fail(Errc::invalid_argument,
                    "{} {}: {}",
                    *path,
                    fmt::join(options, " "),
                    ended.timed_out ? fmt::format("not done after {} s", kMaxWait.count())
                                    : printable(ended.error_output, 512));
    }
    // The processes after the table: who came meanwhile is in neither, who left is in no line.
    return lines_about(ended.output, KNARR_TRY(processes_of(context, id)));
}

}  // namespace knarr::engine
