#include "platform/user_namespace.h"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/process.h"

namespace knarr::sys {

Result<> write_id_maps(pid_t pid,
                       const std::string& uid_lines,
                       const std::string& gid_lines,
                       bool deny_setgroups) {
    const Fd proc = KNARR_TRY(open_path(fmt::format("/proc/{}", pid), O_PATH | O_DIRECTORY));
    const auto explain = [](Result<> written) -> Result<> {
        if (!written && written.error().code == Errc::denied) {
            return fail(std::move(written).error().advise(
                "without CAP_SETUID only one's own ID can be mapped, as one line of size 1"));
        }
        return written;
    };
    if (deny_setgroups) {
        KNARR_TRY(write_file_at(proc, "setgroups", "deny"));
    }
    KNARR_TRY(explain(write_file_at(proc, "gid_map", gid_lines)), "group mappings");
    KNARR_TRY(explain(write_file_at(proc, "uid_map", uid_lines)), "user mappings");
    return {};
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
    Result<> written = write_id_maps(clone.pid, uid_lines, gid_lines, false);
    Result<Fd> fd = open_path(fmt::format("/proc/{}/ns/user", clone.pid), O_RDONLY);
    kill_and_reap(clone.pidfd);
    KNARR_TRY(std::move(written));
    return fd;
}

}  // namespace knarr::sys
