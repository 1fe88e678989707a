#include "platform/cgroup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/rollback.h"
#include "core/text.h"
#include "platform/cgroup_devices.h"
#include "platform/cgroup_freeze.h"
#include "platform/cgroup_write.h"
#include "platform/file.h"
#include "platform/xattr.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxCgroupFileBytes = 1U << 20U;

bool is_v2(const CgroupDir& dir) {
    return dir.controllers.empty();
}

std::string place_of(const CgroupDir& dir) {
    return dir.mount_point + dir.path;
}

/// Every directory from the mount point (included) down to the cgroup (included).
std::vector<std::string> levels_of(const CgroupDir& dir) {
    std::vector<std::string> out{dir.mount_point};
    for (const std::string_view part : split(dir.path, '/')) {
        if (!part.empty()) {
            out.push_back(fmt::format("{}/{}", out.back(), part));
        }
    }
    return out;
}

bool lists(std::string_view text, std::string_view word) {
    const auto parts = split(trimmed(text), ' ');
    return std::ranges::find(parts, word) != parts.end();
}

/// Copies cpuset.cpus and cpuset.mems down from the parent where they are empty: a v1 cpuset
/// without them admits no process.
/// Source: kernel cgroup-v1/cpusets.rst, 1.3 and 2.1.
Result<> inherit_cpuset(const std::string& parent, const std::string& child) {
    const Fd below = KNARR_TRY(open_path(child, O_RDONLY | O_DIRECTORY));
    for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
        const std::string own = KNARR_TRY(read_file_at(below, file, kMaxCgroupFileBytes));
        if (!trimmed(own).empty()) {
            continue;
        }
        const std::string above =
            KNARR_TRY(read_file(fmt::format("{}/{}", parent, file), kMaxCgroupFileBytes));
        KNARR_TRY(write_file_at(below, file, trimmed(above)), "copy {} of {}", file, parent);
    }
    return {};
}

/// The same for a cgroup that is new. False where the parent has nothing to give either.
bool take_cpuset(const std::string& parent, const std::string& child) {
    for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
        const Result<std::string> above =
            read_file(fmt::format("{}/{}", parent, file), kMaxCgroupFileBytes);
        if (!above || trimmed(*above).empty() ||
            !write_file_at(Fd(), fmt::format("{}/{}", child, file), trimmed(*above))) {
            return false;
        }
    }
    return true;
}

std::string why_not_enabled(int error, std::string_view controller, const std::string& place) {
    switch (error) {
        case EBUSY:
            return fmt::format(
                "controller {} cannot be enabled in {}: it holds processes itself, and only a "
                "cgroup without processes can hand controllers down (cgroup-v2.rst, \"No Internal "
                "Process Constraint\"); move them into a cgroup of their own",
                controller,
                place);
        case EOPNOTSUPP:
            return fmt::format("controller {} cannot be enabled in {}: it is a threaded cgroup",
                               controller,
                               place);
        case ENOENT:
        case EINVAL:
            return fmt::format(
                "controller {} is not available in {}: a v1 hierarchy has it, or "
                "the cgroup above does not hand it down",
                controller,
                place);
        default:
            return make_errno(error, fmt::format("enable controller {} in {}", controller, place))
                .within("")
                .message;
    }
}

/// Whether we may manage what is below the cgroup. Of its units systemd says so by an attribute,
/// except a user's manager (252), whose units are all the user's own.
bool may_manage(const Fd& dir, const std::string& place) {
    if (!place.ends_with(".service") && !place.ends_with(".scope")) {
        return !place.ends_with(".slice");
    }
    if (geteuid() != 0) {
        return true;
    }
    return std::ranges::any_of(std::array{"user.delegate", "trusted.delegate"}, [&](auto name) {
        const Result<std::optional<std::string>> value = get_xattr(dir, name);
        return value && *value == "1";
    });
}

/// Where nobody but this process is in the way: goes into a cgroup of its own below, which stays
/// until the one who made `place` removes it. True when the way is free now.
bool step_aside(const Fd& dir, const std::string& place) {
    const Result<std::string> procs = read_file_at(dir, "cgroup.procs", kMaxCgroupFileBytes);
    if (!procs || trimmed(*procs) != fmt::format("{}", getpid()) || !may_manage(dir, place)) {
        return false;
    }
    const std::string aside = place + "/knarr-caller";
    if (mkdir(aside.c_str(), 0755) != 0 && errno != EEXIST) {
        return false;
    }
    const Result<Fd> inner = open_path(aside, O_RDONLY | O_DIRECTORY);
    return inner && write_file_at(*inner, "cgroup.procs", "0").has_value();
}

/// Enables the wanted controllers for the children of `place`; what fails goes into `reasons`.
void enable_controllers(const std::string& place,
                        const std::vector<std::string>& wanted,
                        Reasons& reasons) {
    const Result<Fd> dir = open_path(place, O_RDONLY | O_DIRECTORY);
    if (!dir) {
        return;  // making the child fails with the better message
    }
    const auto read = [&](const char* file) {
        return read_file_at(*dir, file, kMaxCgroupFileBytes).value_or("");
    };
    const std::string have = read("cgroup.subtree_control"), offered = read("cgroup.controllers");
    std::string all;
    std::vector<std::string> missing;
    for (const std::string& controller : wanted) {
        if (lists(have, controller)) {
            continue;
        }
        if (!lists(offered, controller)) {
            reasons.try_emplace(controller, why_not_enabled(ENOENT, controller, place));
            continue;
        }
        missing.push_back(controller);
        all += (all.empty() ? "+" : " +") + controller;
    }
    if (missing.empty()) {
        return;
    }
    const auto enable_all = [&] { return write_file_at(*dir, "cgroup.subtree_control", all); };
    Result<> together = enable_all();
    if (!together && together.error().sys_errno == EBUSY && step_aside(*dir, place)) {
        together = enable_all();
    }
    if (together) {
        return;
    }
    // The kernel takes all or none: find out which one it refuses. Not where processes are in the
    // way: cpu or pids alone would then make the cgroup a threaded one, and what is made below it
    // could hold no process (cgroup-v2.rst, "Threads").
    const int error = together.error().sys_errno;
    const bool alone = error != EBUSY && error != EOPNOTSUPP;
    for (const std::string& controller : missing) {
        const Result<> one =
            alone ? write_file_at(*dir, "cgroup.subtree_control", "+" + controller) : together;
        if (!one) {
            reasons.try_emplace(controller,
                                why_not_enabled(one.error().sys_errno, controller, place));
        }
    }
}

Result<> refuse_occupied(const std::string& place) {
    const std::string procs =
        KNARR_TRY(read_file(place + "/cgroup.procs", kMaxCgroupFileBytes), "use cgroup {}", place);
    if (trimmed(procs).empty()) {
        return {};
    }
    const auto pids = split(trimmed(procs), '\n');
    return std::unexpected(
        Error{.code = Errc::already_exists,
              // Begins as runc's does, which its callers look for.
              .message = fmt::format("container's cgroup is not empty: {} is in use by {} "
                                     "process{} (first: {})",
                                     place,
                                     pids.size(),
                                     pids.size() == 1 ? "" : "es",
                                     pids.front()),
              .hint = "choose another linux.cgroupsPath, or end what runs in it"});
}

/// What is born in a frozen cgroup, or moved into it, would never get to its program.
Result<> refuse_frozen(const CgroupPlan& plan) {
    if (!is_frozen(plan)) {
        return {};
    }
    return fail(Error{.code = Errc::wrong_state,
                      // Begins as runc's does.
                      .message = fmt::format("container's cgroup unexpectedly frozen: {}, or one "
                                             "above it",
                                             plan.dirs.front().path),
                      .hint = "thaw it, or choose another linux.cgroupsPath"});
}

Result<> refuse_parent(const std::string& place) {
    // A cgroup directory has two links and one for each below it.
    const Fd dir = KNARR_TRY(open_path(place, O_PATH | O_DIRECTORY), "use cgroup {}", place);
    if (KNARR_TRY(stat_of(dir)).st_nlink <= 2) {
        return {};
    }
    return std::unexpected(
        Error{.code = Errc::already_exists,
              .message = fmt::format("cgroup {} is there and has others below it", place),
              .hint = "choose another ID, or say which one is meant with linux.cgroupsPath"});
}

/// Makes the directory and those above it. True when the last one is new.
Result<bool> make_directory(const CgroupDir& dir,
                            const std::vector<std::string>& enable,
                            Reasons& reasons) {
    const std::vector<std::string> levels = levels_of(dir);
    const auto controllers = split(dir.controllers, ',');
    const bool cpuset = std::ranges::find(controllers, "cpuset") != controllers.end();
    // Mostly the cgroup above is there, with everything that its children need.
    bool made = levels.size() > 1 && !(is_v2(dir) && !enable.empty()) &&
                mkdir(levels.back().c_str(), 0755) == 0;
    if (made && (!cpuset || take_cpuset(levels.end()[-2], levels.back()))) {
        return true;
    }
    for (std::size_t i = 1; i < levels.size(); ++i) {
        if (is_v2(dir) && !enable.empty()) {
            enable_controllers(levels[i - 1], enable, reasons);
        }
        const bool fresh = mkdir(levels[i].c_str(), 0755) == 0;
        if (!fresh && errno != EEXIST) {
            return fail_errno(errno, "make cgroup {}", levels[i]);
        }
        made |= fresh && i + 1 == levels.size();
        if (cpuset) {
            KNARR_TRY(inherit_cpuset(levels[i - 1], levels[i]), "make cgroup {}", levels[i]);
        }
    }
    return made;
}

Result<> write_all_texts(const CgroupDir& dir, const Reasons& reasons) {
    if (dir.writes.empty()) {
        return {};
    }
    const Fd place = KNARR_TRY(open_path(place_of(dir), O_RDONLY | O_DIRECTORY));
    Fd file;
    std::string_view open_name;  // devices.allow takes a dozen texts: open it once
    for (const CgroupWrite& one : dir.writes) {
        std::string_view text = one.text;
        if (one.file != open_name) {
            Result<Fd> opened = open_at(place, one.file, O_WRONLY);
            open_name = one.file;
            if (!opened && !one.other_file.empty()) {
                opened = open_at(place, one.other_file, O_WRONLY);
                open_name = {};
                text = one.other_text;
            }
            if (!opened) {
                open_name = {};
                if (one.optional) {
                    continue;
                }
                return write_failed(std::move(opened).error(), dir, one, reasons);
            }
            file = std::move(*opened);
        }
        while (::write(file.get(), text.data(), text.size()) < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (one.optional) {
                break;
            }
            return write_failed(
                make_errno(errno, fmt::format("write to {}", one.file)), dir, one, reasons);
        }
    }
    return {};
}

}  // namespace

void enable_above(const CgroupDir& dir, const std::vector<std::string>& wanted, Reasons& reasons) {
    const std::vector<std::string> levels = levels_of(dir);
    for (std::size_t i = 1; i < levels.size(); ++i) {
        enable_controllers(levels[i - 1], wanted, reasons);
    }
}

std::unexpected<Error> write_failed(Error error,
                                    const CgroupDir& dir,
                                    const CgroupWrite& write,
                                    const Reasons& reasons) {
    const std::string asked = write.property.empty() ? write.file : write.property;
    if (error.sys_errno == ENOENT || (error.sys_errno == EACCES && geteuid() == 0)) {
        // Opening a file that is not there for writing in a cgroup gives EACCES to root too.
        const std::string controller = write.file.substr(0, write.file.find('.'));
        const auto known = reasons.find(controller);
        const std::string reason =
            known != reasons.end()
                ? known->second
                : fmt::format(
                      "cgroup {} has no file {}: this kernel or this cgroup lacks the {} "
                      "controller or that part of it",
                      place_of(dir),
                      write.file,
                      controller);
        return fail(Errc::unsupported, "{}: {}", asked, reason);
    }
    if (error.sys_errno == EINVAL || error.sys_errno == ERANGE) {
        return fail(Error{.code = Errc::invalid_config,
                          .sys_errno = error.sys_errno,
                          .message = fmt::format("{}: the kernel refuses \"{}\" for {}/{}",
                                                 asked,
                                                 printable(write.text, 128),
                                                 place_of(dir),
                                                 write.file),
                          .hint = {}});
    }
    return fail(std::move(error).within(fmt::format("{}: cgroup {}", asked, place_of(dir))));
}

Result<> make_cgroup(const CgroupPlan& plan, CgroupUse use) {
    Rollback undo;
    Reasons reasons;
    static const std::vector<std::string> kNone;
    for (const CgroupDir& dir : plan.dirs) {
        const std::string place = place_of(dir);
        const bool made = KNARR_TRY(make_directory(dir, plan.v2 ? plan.enable : kNone, reasons));
        if (made) {
            undo.on_failure([place] { rmdir(place.c_str()); });
        } else if (use == CgroupUse::empty) {
            KNARR_TRY(refuse_occupied(place));
            if (plan.named_by_id) {
                KNARR_TRY(refuse_parent(place));
            }
        }
        KNARR_TRY(write_all_texts(dir, reasons));
        if (is_v2(dir) && plan.v2 && !plan.device_rules.empty()) {
            const Fd fd = KNARR_TRY(open_path(place, O_RDONLY | O_DIRECTORY));
            KNARR_TRY(attach_device_rules(fd, plan.device_rules),
                      "linux.resources.devices: cgroup {}",
                      place);
        }
    }
    KNARR_TRY(refuse_frozen(plan));
    undo.commit();
    return {};
}

Result<> join_cgroup(const CgroupPlan& plan, pid_t pid) {
    const std::string text = fmt::format("{}", pid);
    for (const CgroupDir& dir : plan.dirs) {
        const Fd procs =
            KNARR_TRY(open_path(place_of(dir) + "/cgroup.procs", O_WRONLY), "join cgroup");
        while (::write(procs.get(), text.data(), text.size()) < 0) {
            const int error = errno;
            if (error == EINTR) {
                continue;
            }
            if (error == EBUSY && is_v2(dir)) {
                return fail(Errc::unsupported,
                            "put process {} into cgroup {}: it hands controllers down to cgroups "
                            "below it and so cannot hold processes",
                            pid,
                            place_of(dir));
            }
            if (error == EOPNOTSUPP) {
                return fail(Errc::unsupported,
                            "put process {} into cgroup {}: its type is \"domain invalid\" or "
                            "threaded, because a cgroup above it is threaded",
                            pid,
                            place_of(dir));
            }
            return fail_errno(error, "put process {} into cgroup {}", pid, place_of(dir));
        }
    }
    return {};
}

CgroupWays split_ways(const CgroupPlan& plan) {
    if (plan.v2) {
        return {.born = plan, .entered = {}};
    }
    CgroupWays ways;
    for (const CgroupDir& dir : plan.dirs) {
        (is_v2(dir) ? ways.born : ways.entered).dirs.push_back(dir);
    }
    return ways;
}

Result<Fd> open_for_clone(const CgroupPlan& born) {
    return KNARR_TRY(open_path(place_of(born.dirs.front()), O_PATH | O_DIRECTORY),
                     "open the cgroup");
}

Result<std::vector<Fd>> open_entries(const CgroupPlan& entered) {
    std::vector<Fd> out;
    for (const CgroupDir& dir : entered.dirs) {
        Result<Fd> tasks = open_path(place_of(dir) + "/tasks", O_WRONLY);
        if (!tasks && tasks.error().sys_errno == ENOENT) {
            // runc's words, which its tests and callers look for.
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("adding pid to cgroup {}/cgroup.procs: no such "
                                             "file or directory",
                                             place_of(dir)),
                      .hint = "make that cgroup first"});
        }
        out.push_back(KNARR_TRY(std::move(tasks), "join cgroup"));
    }
    return out;
}

Result<> enter_cgroup(const Fd& tasks) {
    while (::write(tasks.get(), "0", 1) < 0) {
        const int error = errno;
        if (error != EINTR) {
            const Result<std::string> place = read_link_at(Fd(), fd_path(tasks));
            return fail_errno(error, "enter cgroup {}", place.value_or("(unknown)"));
        }
    }
    return {};
}

}  // namespace knarr::sys
