#pragma once
// The last step into a container: the user's program is not executed by knarr, but by a tiny
// program from a sealed memfd.
//
// Until execve(2) succeeds, /proc/self/exe of the child names what it runs. If that were knarr's
// own file, an image with "#!/proc/self/exe", a program path or an ELF interpreter of that name
// would run the host's binary inside, and the container could open it for writing (CVE-2019-5736).
// With the trampoline it finds a few hundred sealed bytes. (Until then only CAP_SYS_PTRACE can
// look, see own_copy.h.)

#include "knarr/result.h"
#include "platform/fd.h"
#include "platform/seccomp.h"

namespace knarr::sys {

/// The trampoline, ready to be executed: close-on-exec, sealed, readable and executable by every
/// user. Made by parent or child; takes some 30 us.
/// Errors: unsupported or denied when the kernel has no (executable) memfd.
Result<Fd> make_trampoline();

/// Set in what the report descriptor receives when loading the filter failed and not execve.
inline constexpr int kTrampolineFilterStage = 0x10000;

/// Executes the trampoline, which loads `filter` (unless null) as its last act and then executes
/// `path`; so the filter need only allow execve. Returns only when it fails before that, with the
/// errno (E2BIG: arguments and environment are too long). EINVAL: a filter with a listener must be
/// loaded before.
///
/// What fails later arrives at `report_fd` as an int in host order: the errno, with
/// kTrampolineFilterStage when it was the filter's; then the process exits with 127. When the
/// program runs, report_fd is closed without a word. A filter that forbids write(2) keeps the
/// report from arriving.
int exec_trampoline(const Fd& trampoline,
                    const char* path,
                    char* const argv[],
                    char* const envp[],
                    int report_fd,
                    const SeccompProgram* filter = nullptr);

}  // namespace knarr::sys
