#include "platform/user_namespace.h"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "platform/process.h"
#include "platform/task.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxMapBytes = 64U << 10U;

Result<> write_proc_file(pid_t pid, const char* file, const std::string& text) {
    const Fd proc = KNARR_TRY(open_path(fmt::format("/proc/{}", pid), O_PATH | O_DIRECTORY));
    Result<> written = write_file_at(proc, file, text);
    if (!written && written.error().code == Errc::denied) {
        return fail(std::move(written).error().advise(
            "without CAP_SETUID only one's own ID can be mapped, as one line of size 1; where that "
            "is refused too, the host restricts user namespaces "
            "(kernel.apparmor_restrict_unprivileged_userns)"));
    }
    return written;
}

/// `change` to 0, or to the first ID that the map of this process has.
template <typename Change>
Result<> become_mapped(const Fd& proc, const char* map, Change change) {
    Result<> done = change(0);
    if (done || done.error().sys_errno != EINVAL) {
        return done;
    }
    const std::string text = KNARR_TRY(read_file_at(proc, map, kMaxMapBytes));
    const std::string_view ranges = trimmed(text);
    const auto first = parse_number(ranges.substr(0, ranges.find_first_of(" \t\n")), UINT32_MAX);
    return first ? change(static_cast<std::uint32_t>(*first)) : std::move(done);
}

/// The pid by which /proc knows a process. It is another than clone's answer where we are in a pid
/// namespace that is newer than the /proc we see, as a container's first process is.
/// Source: pidfd_open(2), "Pid" in fdinfo: of the pid namespace of that procfs.
Result<pid_t> pid_in_proc(const Fd& pidfd) {
    const std::string info =
        KNARR_TRY(read_file(fmt::format("/proc/self/fdinfo/{}", pidfd.get()), kMaxMapBytes));
    constexpr std::string_view kKey = "Pid:";
    for (const std::string_view line : split(info, '\n')) {
        if (line.starts_with(kKey)) {
            const auto pid = parse_number(trimmed(line.substr(kKey.size())), INT32_MAX);
            if (pid && *pid > 0) {
                return static_cast<pid_t>(*pid);
            }
        }
    }
    return fail(Errc::unsupported, "/proc does not show the processes of this pid namespace");
}

}  // namespace

Result<> write_uid_map(pid_t pid, const std::string& lines) {
    return write_proc_file(pid, "uid_map", lines);
}

Result<> write_gid_map(pid_t pid, const std::string& lines, bool deny_setgroups) {
    if (deny_setgroups) {
        KNARR_TRY(write_proc_file(pid, "setgroups", "deny"));
    }
    return write_proc_file(pid, "gid_map", lines);
}

Result<Fd> make_user_namespace(const std::string& uid_lines, const std::string& gid_lines) {
    Pipe hold = KNARR_TRY(make_pipe());
    Clone clone = KNARR_TRY(clone_process(CLONE_NEWUSER));
    if (clone.in_child()) {
        hold.write.reset();
        char byte = 0;
        while (read(hold.read.get(), &byte, 1) < 0 && errno == EINTR) {
        }
        _exit(0);
    }
    Result<Fd> made = [&]() -> Result<Fd> {
        const pid_t pid = KNARR_TRY(pid_in_proc(clone.pidfd));
        KNARR_TRY(write_gid_map(pid, gid_lines, false));
        KNARR_TRY(write_uid_map(pid, uid_lines));
        return open_path(fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
    }();
    kill_and_reap(clone.pidfd);
    return made;
}

Result<> become_namespace_root(const Fd& proc) {
    KNARR_TRY(become_mapped(proc, "self/gid_map", set_group));
    return become_mapped(proc, "self/uid_map", set_user);
}

bool is_setgroups_denied(const Fd& proc) {
    const Result<std::string> text = read_file_at(proc, "self/setgroups", kMaxMapBytes);
    return text && text->starts_with("deny");
}

bool is_host_root() {
    const OwnUser own = own_user();
    return own.uid == 0 && !own.in_user_namespace;
}

uid_t real_uid() {
    return getuid();
}

gid_t real_gid() {
    return getgid();
}

}  // namespace knarr::sys
