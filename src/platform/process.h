#pragma once
// Making processes without exec: the child goes on in a copy of the parent's memory, alone; what
// other threads hold there is let go of by among_threads.h.

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/fd.h"
#include "platform/told_pid.h"

namespace knarr::sys {

/// Which side of the clone this is, and the child as the parent sees it.
struct Clone {
    pid_t pid = 0;  // 0 in the child
    Fd pidfd;       // invalid in the child
    bool in_child() const { return pid == 0; }
};

/// clone3(2) with the CLONE_NEW* or CLONE_PARENT `flags`; the child starts with default signal
/// handlers, but where a filter leaves clone(2) alone with ours. `cgroup`, where given, is a v2
/// directory to be born in (CLONE_INTO_CGROUP). Errors: EPERM, EINVAL as in clone3(2); ENOSPC and
/// EUSERS name a namespace limit. With CLONE_PARENT `told`, where given, gets the child's pid
/// before the child runs (told_pid.h), but where a filter leaves clone(2) alone.
Result<Clone> clone_process(std::uint64_t flags,
                            const Fd* cgroup = nullptr,
                            const ToldPid* told = nullptr);

/// Sends SIGKILL and waits until the child is reaped. For children of this process only.
void kill_and_reap(const Fd& pidfd);

/// SIGKILLs the process group of a child of ours that leads one and is not reaped.
void kill_group(pid_t leader);

/// What execve(2) takes: the texts' addresses and a null pointer; valid while `texts` is.
std::vector<char*> exec_pointers(const std::vector<std::string>& texts);

/// Whether others of our user may look into /proc/PID of this process.
Result<> set_dumpable(bool dumpable);
/// The pid of this process in its own pid namespace.
pid_t own_pid();
/// Processes below this one whose parents end become children of this one, not of the host's init.
/// Source: prctl(2), PR_SET_CHILD_SUBREAPER.
Result<> adopt_orphans();
/// execveat(2) of an open program. Returns only when it fails.
Error execute(const Fd& program,
              const std::vector<std::string>& args,
              const std::vector<std::string>& env);
/// A new session; already leading one is no error.
void new_session();
/// Unblocks every signal and gives it its default action: an ignored one stays so over execve(2),
/// and a caller in the background of a shell ignores SIGINT. Those that `ignored` names are ignored
/// instead, also ones that came already.
void reset_signals(bool (*ignored)(int number) = nullptr);
/// close_range(2): marks everything from `first` on close-on-exec.
Result<> close_on_exec_from(unsigned first);
/// close_range(2): closes everything above 2 but these.
Result<> keep_only(std::vector<int> keep);
/// dup2(2) of each valid descriptor onto its number.
Result<> replace_fd(const Fd& from, int number);

/// setns(2) after checking that the file is a namespace of this CLONE_NEW* type.
/// Errors: invalid_config when the path is something else.
Result<Fd> open_namespace(const std::string& path, int type);
Result<> enter_namespace(const Fd& fd, int type);
/// setns(2) with a pidfd: these CLONE_NEW* of that process, all or none. A pid namespace counts for
/// children made from then on. Errors: sys_errno ESRCH when the process has ended.
Result<> enter_namespaces_of(const Fd& pidfd, int flags);
Result<> unshare_namespaces(int flags);

/// Zeroed memory that this process and those it clones share; it stays until the process ends.
/// Source: mmap(2), MAP_SHARED | MAP_ANONYMOUS.
Result<void*> shared_memory(std::size_t bytes);

}  // namespace knarr::sys
