#include "platform/sealed_memory.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "platform/file.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3; the C library's header is older
#endif

namespace knarr::sys {

namespace {
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
}  // namespace

Result<Fd> make_executable_memory(const char* name) {
    constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    Fd fd(memfd_create(name, kFlags | MFD_EXEC));
    if (!fd.valid() && errno == EINVAL) {
        fd = Fd(memfd_create(name, kFlags));  // before 6.3 every memfd is executable
    }
    return fd.valid() ? Result<Fd>(std::move(fd)) : fail_errno(errno, "memfd_create {}", name);
}

Result<> seal_executable(const Fd& file) {
    if (fchmod(file.get(), 0555) != 0 || fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) {
        return fail_errno(errno, "seal a program in memory");
    }
    return {};
}

Result<Fd> make_sealed_copy(const char* name, std::string_view bytes) {
    Fd file(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.valid()) {
        return fail_errno(errno, "memfd_create {}", name);
    }
    KNARR_TRY(write_all(file, bytes), "{} in memory", name);
    if (fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) {
        return fail_errno(errno, "seal {} in memory", name);
    }
    return file;
}

bool is_sealed(const Fd& file) {
    const int seals = fcntl(file.get(), F_GET_SEALS);
    return seals >= 0 && (seals & kSeals) == kSeals;
}

}  // namespace knarr::sys
