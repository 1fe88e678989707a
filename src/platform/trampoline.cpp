#include "platform/trampoline.h"

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/sealed_memory.h"

// The assembler's names. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" const char knarr_trampoline_begin[], knarr_trampoline_end[];

namespace knarr::sys {

namespace {

// The filter as an inherited file. Returns a descriptor without close-on-exec, or -errno.
int hand_over(const SeccompProgram& filter) {
    // To be inherited. NOLINTNEXTLINE(android-cloexec-memfd-create)
    const int fd = memfd_create("knarr-filter", 0);
    if (fd < 0) {
        return -errno;
    }
    const std::size_t size = filter.code.size() * sizeof(sock_filter);
    errno = 0;
    if (write(fd, filter.code.data(), size) != static_cast<ssize_t>(size) ||
        lseek(fd, 0, SEEK_SET) != 0) {
        const int error = errno != 0 ? errno : EIO;
        close(fd);
        return -error;
    }
    return fd;
}

}  // namespace

Result<Fd> make_trampoline() {
    Fd fd = KNARR_TRY(make_executable_memory("knarr-exec"), "exec trampoline");
    const std::string_view image(
        knarr_trampoline_begin,
        static_cast<std::size_t>(knarr_trampoline_end - knarr_trampoline_begin));
    KNARR_TRY(write_all(fd, image), "exec trampoline");
    KNARR_TRY(seal_executable(fd), "exec trampoline");
    return fd;
}

int exec_trampoline(const Fd& trampoline,
                    const char* path,
                    char* const argv[],
                    char* const envp[],
                    int report_fd,
                    const SeccompProgram* filter) {
    int filter_fd = -1;
    unsigned flags = 0;
    if (filter != nullptr) {
        if (filter->needs_listener) {
            return EINVAL;
        }
        filter_fd = hand_over(*filter);
        if (filter_fd < 0) {
            return -filter_fd;
        }
        flags = filter->flags;
    }
    char control[sizeof "knarr-exec:RRRRRRRR:FFFFFFFF:LLLLLLLL"];
    std::snprintf(control,
                  sizeof control,
                  "knarr-exec:%08x:%08x:%08x",
                  static_cast<unsigned>(report_fd),
                  static_cast<unsigned>(filter_fd),
                  flags);
    std::vector<char*> all{control, const_cast<char*>(path)};  // execve reads only
    for (char* const* argument = argv; *argument != nullptr; ++argument) {
        all.push_back(*argument);
    }
    all.push_back(nullptr);
    fcntl(report_fd, F_SETFD, 0);  // the trampoline sets it again
    syscall(SYS_execveat, trampoline.get(), "", all.data(), envp, AT_EMPTY_PATH);
    int error = errno;
    if (error == EPERM || error == ENOSYS) {
        // A filter that is loaded already may know execve only.
        execve(fd_path(trampoline).c_str(), all.data(), envp);
    }
    fcntl(report_fd, F_SETFD, FD_CLOEXEC);
    if (filter_fd >= 0) {
        close(filter_fd);
    }
    return error;
}

}  // namespace knarr::sys
