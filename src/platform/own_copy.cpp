#include "platform/own_copy.h"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/among_threads.h"
#include "platform/exe_file.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/process.h"
#include "platform/sealed_memory.h"
#include "platform/spawn.h"

namespace knarr::sys {

namespace {

constexpr const char* kOwnFile = "/proc/self/exe";
constexpr std::size_t kMaxArgumentBytes = 4U << 20U;

bool is_unwritable(const Fd& file) {
    struct statvfs place{};
    if (fstatvfs(file.get(), &place) == 0 && (place.f_flag & ST_RDONLY) != 0) {
        return true;
    }
    return is_sealed(file);
}

/// The file in a read-only mount of its own.
Result<Fd> read_only_mount() {
    const long tree =
        syscall(SYS_open_tree, AT_FDCWD, kOwnFile, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) {
        return fail_errno(errno, "open_tree {}", kOwnFile);
    }
    Fd mount(static_cast<int>(tree));
    KNARR_TRY(set_mount_attributes(mount, {.set = attributes_of(MS_RDONLY)}));
    return mount;
}

Result<Fd> sealed_copy(const Fd& file) {
    Fd copy = KNARR_TRY(make_executable_memory("knarr"));
    while (true) {
        const ssize_t sent = sendfile(copy.get(), file.get(), nullptr, 1U << 30U);
        if (sent == 0) {
            break;
        }
        if (sent < 0 && errno != EINTR) {
            return fail_errno(errno, "copy the program");
        }
    }
    KNARR_TRY(seal_executable(copy));
    return copy;
}

/// Goes on from the mount's file without a new start.
Result<> go_on_from_mount(const Fd& mount) {
    const Fd file = KNARR_TRY(open_path(fmt::format("/proc/self/fd/{}", mount.get()), O_RDONLY));
    return go_on_from(file);
}

}  // namespace

Result<> run_from_unwritable_file() {
    const Fd file = KNARR_TRY(open_path(kOwnFile, O_RDONLY));
    if (is_unwritable(file)) {
        return {};
    }
    if (has_other_threads()) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = "run from an unwritable file: other threads run",
                          .hint = "call it first in main()"});
    }
    const std::string directory = KNARR_TRY(own_directory());
    setenv(kOwnDirectoryVariable, directory.c_str(), 1);  // our other programs may be there
    Result<Fd> mount = read_only_mount();
    if (mount && go_on_from_mount(*mount)) {
        return {};
    }
    const Fd program = mount ? std::move(*mount) : KNARR_TRY(sealed_copy(file));
    const Fd words = KNARR_TRY(open_path("/proc/self/cmdline", O_RDONLY));
    const std::string joined = KNARR_TRY(read_all(words, kMaxArgumentBytes), "/proc/self/cmdline");
    std::vector<std::string> arguments;
    for (const std::string_view one : split(std::string_view(joined), '\0')) {
        arguments.emplace_back(one);
    }
    arguments.pop_back();  // each of them ends with NUL
    const std::vector<char*> argv = exec_pointers(arguments);
    syscall(SYS_execveat, program.get(), "", argv.data(), environ, AT_EMPTY_PATH);
    return fail_errno(errno, "execute the program's unwritable copy");
}

}  // namespace knarr::sys
