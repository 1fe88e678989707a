// The end of a cgroup: who is inside, killing them, removing the directories.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <set>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"
#include "platform/cgroup.h"
#include "platform/file.h"
#include "platform/patience.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxProcsBytes = 4U << 20U;  // 4 million PIDs do not fit in pid_max
// A killed process goes away within milliseconds; one that hangs in the kernel (a dead NFS server)
// may never, and the caller has to hear about it.
constexpr std::chrono::seconds kMaxWait{limits::kKillWaitSeconds};
// A process that is on its way out is listed for moments; one that stays is at home here.
constexpr std::chrono::milliseconds kMaxLeaving{500};

std::string place_of(const CgroupDir& dir) {
    return dir.mount_point + dir.path;
}

/// Goes through the cgroups below one, the deepest first. However deep they lie (a container that
/// may write its cgroup decides that), two descriptors do and no path is put together.
struct CgroupVisit {
    std::function<Result<>(const Fd& dir)> look = {};  // at each, the first one too
    std::function<Result<>(const Fd& parent, const std::string& name)> leave = {};  // not the first
};
Result<> each_below(const Fd& top, const CgroupVisit& visit) {
    struct Level {
        std::string name;
        std::vector<std::string> left;  // what may be a cgroup in it
    };
    Fd dir = KNARR_TRY(open_at(top, ".", O_RDONLY | O_DIRECTORY));
    std::vector<Level> levels;
    levels.push_back({.name = {}, .left = KNARR_TRY(list_dir(dir))});
    while (true) {
        if (!levels.back().left.empty()) {
            std::string name = std::move(levels.back().left.back());
            levels.back().left.pop_back();
            // Control files have names with a dot but cgroups may too: ask the file system.
            Result<Fd> child = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (child) {
                dir = std::move(*child);
                auto left = list_dir(dir);
                if (!left && left.error().sys_errno != ENOENT && left.error().sys_errno != ENODEV) {
                    return fail(std::move(left).error());
                }
                levels.push_back({.name = std::move(name),
                                  .left = left ? std::move(*left) : std::vector<std::string>{}});
            } else if (child.error().sys_errno != ENOTDIR && child.error().sys_errno != ENOENT) {
                return fail(std::move(child).error());
            }
            continue;
        }
        if (visit.look) {
            KNARR_TRY(visit.look(dir));
        }
        const std::string name = std::move(levels.back().name);
        levels.pop_back();
        if (levels.empty()) {
            return {};
        }
        dir = KNARR_TRY(open_at(dir, "..", O_RDONLY | O_DIRECTORY));
        if (visit.leave) {
            KNARR_TRY(visit.leave(dir, name));
        }
    }
}

/// Opens the directory; nothing when it is not there.
Result<std::optional<Fd>> open_cgroup(const CgroupDir& dir) {
    Result<Fd> opened = open_path(place_of(dir), O_RDONLY | O_DIRECTORY);
    if (!opened) {
        if (opened.error().sys_errno == ENOENT) {
            return std::nullopt;
        }
        return fail(std::move(opened).error());
    }
    return std::optional<Fd>(std::move(*opened));
}

Result<> collect_pids(const Fd& dir, std::set<pid_t>& pids) {
    for (const char* file : {"cgroup.procs", "cgroup.threads"}) {
        const Result<std::string> text = read_file_at(dir, file, kMaxProcsBytes);
        if (!text) {
            const int error = text.error().sys_errno;
            if (error == EOPNOTSUPP) {
                continue;  // a threaded v2 cgroup lists only its threads
            }
            if (error == ENOENT || error == ENODEV) {
                return {};  // removed meanwhile
            }
            return fail(text.error());
        }
        for (const std::string_view line : split(*text, '\n')) {
            // 0: a process that this pid namespace does not see.
            const auto pid = parse_number(line, INT32_MAX);
            if (pid && *pid != 0) {
                pids.insert(static_cast<pid_t>(*pid));
            }
        }
        return {};
    }
    return {};
}

Result<std::set<pid_t>> pids_of(const CgroupPlan& plan) {
    std::set<pid_t> pids;
    for (const CgroupDir& dir : plan.dirs) {
        const std::optional<Fd> place = KNARR_TRY(open_cgroup(dir));
        if (place) {
            KNARR_TRY(each_below(*place,
                                 {.look = [&](const Fd& one) { return collect_pids(one, pids); }}),
                      "list the processes of cgroup {}",
                      place_of(dir));
        }
    }
    return pids;
}

/// Thaws what a v1 freezer or a v2 cgroup.freeze holds: a frozen v1 process cannot die.
void thaw(const CgroupPlan& plan) {
    for (const CgroupDir& dir : plan.dirs) {
        const auto controllers = split(dir.controllers, ',');
        const bool v1 = std::ranges::find(controllers, "freezer") != controllers.end();
        if (!v1 && !dir.controllers.empty()) {
            continue;
        }
        const Result<std::optional<Fd>> place = open_cgroup(dir);
        if (!place || !*place) {
            continue;
        }
        // Nobody can act on a failure here: whoever waits for the end of the processes reports it.
        (void)each_below(**place, {.look = [&](const Fd& one) -> Result<> {
            (void)write_file_at(one, v1 ? "freezer.state" : "cgroup.freeze", v1 ? "THAWED" : "0");
            return {};
        }});
    }
}

/// SIGKILLs `pids` by pidfd, each only if the cgroup lists it still when the pidfd is open: the
/// number may have been given to another process in between.
Result<> kill_listed(const CgroupPlan& plan, const std::set<pid_t>& pids) {
    std::vector<std::pair<pid_t, Fd>> open;
    for (const pid_t pid : pids) {
        const long fd = syscall(SYS_pidfd_open, pid, 0);
        if (fd >= 0) {
            open.emplace_back(pid, Fd(static_cast<int>(fd)));
        } else if (errno != ESRCH && errno != EINVAL) {
            return fail_errno(errno, "pidfd_open {}", pid);
        }
    }
    const std::set<pid_t> still = KNARR_TRY(pids_of(plan));
    for (const auto& [pid, fd] : open) {
        if (still.contains(pid) &&
            syscall(SYS_pidfd_send_signal, fd.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH) {
            return fail_errno(errno, "kill process {}", pid);
        }
    }
    return {};
}

/// cgroup.kill of a v2 directory, which misses nobody. False where there is none.
bool kill_at_once(const CgroupPlan& plan) {
    for (const CgroupDir& dir : plan.dirs) {
        if (dir.controllers.empty()) {
            const Result<std::optional<Fd>> place = open_cgroup(dir);
            return place && *place && write_file_at(**place, "cgroup.kill", "1").has_value();
        }
    }
    return false;
}

/// Removes one directory and what is below it. False when something is busy.
Result<bool> try_remove(const CgroupDir& dir) {
    const std::string place = place_of(dir);
    if (rmdir(place.c_str()) == 0 || errno == ENOENT) {
        return true;
    }
    if (errno != EBUSY && errno != ENOTEMPTY) {
        return fail_errno(errno, "remove cgroup {}", place);
    }
    const std::optional<Fd> top = KNARR_TRY(open_cgroup(dir));
    if (!top) {
        return true;
    }
    bool busy = false;
    KNARR_TRY(
        each_below(*top, {.leave = [&](const Fd& parent, const std::string& name) -> Result<> {
            const int error = unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
            const bool is_busy = error == EBUSY || error == ENOTEMPTY;
            busy |= is_busy;
            return error == 0 || is_busy || error == ENOENT
                       ? Result<>{}
                       : fail_errno(error, "remove cgroup {}", printable(name));
        }}),
        "{}",
        place);
    if (busy) {
        return false;
    }
    if (rmdir(place.c_str()) == 0 || errno == ENOENT) {
        return true;
    }
    return errno == EBUSY || errno == ENOTEMPTY ? Result<bool>(false)
                                                : fail_errno(errno, "remove cgroup {}", place);
}

std::string some_of(const std::set<pid_t>& pids) {
    std::string out;
    int shown = 0;
    for (const pid_t pid : pids) {
        if (++shown > 5) {
            return out + ", ...";
        }
        out += fmt::format("{}{}", out.empty() ? "" : ", ", pid);
    }
    return out;
}

}  // namespace

Result<std::vector<pid_t>> cgroup_pids(const CgroupPlan& plan) {
    const std::set<pid_t> pids = KNARR_TRY(pids_of(plan));
    return std::vector<pid_t>(pids.begin(), pids.end());
}

Result<> kill_cgroup(const CgroupPlan& plan) {
    Patience patience(kMaxWait);
    bool first = true;
    while (true) {
        const std::set<pid_t> pids = KNARR_TRY(pids_of(plan));
        if (pids.empty()) {
            return {};
        }
        if (!kill_at_once(plan) || !first) {
            // A process may be in some of the hierarchies only: cgroup.kill does not reach it.
            KNARR_TRY(kill_listed(plan, pids));
        }
        thaw(plan);
        first = false;
        if (!patience.rest()) {
            return fail(Errc::timed_out,
                        "processes {} of cgroup {} are still there {} s after SIGKILL: they hang "
                        "in the kernel",
                        some_of(pids),
                        plan.dirs.front().path,
                        kMaxWait.count());
        }
    }
}

namespace {

Result<> remove_one(const CgroupPlan& plan,
                    const CgroupDir& dir,
                    Patience& patience,
                    Patience& leaving) {
    CgroupPlan alone;
    alone.dirs = {dir};
    // EBUSY lasts for moments after the last exit; longer means that somebody is inside.
    while (!KNARR_TRY(try_remove(dir))) {
        const std::set<pid_t> pids = KNARR_TRY(pids_of(alone));
        if (!pids.empty()) {
            thaw(plan);  // an exec that was on its way in when it froze can leave only then
        }
        if (!pids.empty() && !leaving.rest()) {
            return fail(Errc::wrong_state,
                        "remove cgroup {}: processes {} are in it",
                        place_of(dir),
                        some_of(pids));
        }
        if (!patience.rest()) {
            return fail(Errc::timed_out,
                        "remove cgroup {}: still busy after {} s",
                        place_of(dir),
                        kMaxWait.count());
        }
    }
    return {};
}

}  // namespace

Result<> remove_cgroup(const CgroupPlan& plan) {
    Patience patience(kMaxWait);
    Patience leaving(kMaxLeaving);
    // One that cannot go is no reason for the others to stay: who comes later may not know of them.
    Result<> first;
    for (const CgroupDir& dir : plan.dirs) {
        Result<> removed = remove_one(plan, dir, patience, leaving);
        if (!removed && first) {
            first = std::move(removed);
        }
    }
    return first;
}

}  // namespace knarr::sys
