#include "platform/exe_file.h"

#include <array>
#include <cstring>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/mount.h"
#include "platform/process.h"

namespace knarr::sys {
namespace {

// Data of every kind: written since the start, read only after relocation, zero.
std::string g_written = "as it started, and long enough for the heap";
const char* const kWords[] = {"one", "two"};
std::array<char, 9000> g_zero{};

/// Another way to the test's own file, read only; none without the right to mount.
std::optional<Fd> other_way() {
    const long tree =
        syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) {
        return std::nullopt;
    }
    const Fd mount(static_cast<int>(tree));
    if (!set_mount_attributes(mount, {.set = attributes_of(MS_RDONLY)})) {
        return std::nullopt;
    }
    auto file = open_path("/proc/self/fd/" + std::to_string(mount.get()), O_RDONLY);
    return file ? std::optional(std::move(*file)) : std::nullopt;
}

bool is_read_only(const char* path) {
    struct statvfs place{};
    return statvfs(path, &place) == 0 && (place.f_flag & ST_RDONLY) != 0;
}

/// What the child found wrong, as its exit status.
int go_on_and_look(const Fd& file) {
    g_written = "changed before the move, and long enough for the heap";
    g_zero[8999] = 'z';
    if (is_read_only("/proc/self/exe")) {
        return 2;
    }
    if (!go_on_from(file)) {
        return 3;
    }
    if (!is_read_only("/proc/self/exe")) {
        return 4;
    }
    if (!g_written.starts_with("changed") || g_zero[8999] != 'z' || g_zero[0] != '\0' ||
        std::strcmp(kWords[1], "two") != 0) {
        return 5;
    }
    g_written += " and after it";
    return g_written.ends_with("after it") ? 0 : 6;
}

TEST(ExeFile, AProcessGoesOnFromAnotherFileWithItsData) {
    const std::optional<Fd> file = other_way();
    if (!file || geteuid() != 0) {
        GTEST_SKIP() << "needs root";
    }
    if (const Result<> moved = go_on_from(Fd()); moved.error().code == Errc::unsupported) {
        GTEST_SKIP() << moved.error().message;
    }
    const Clone child = *clone_process(0);
    if (child.in_child()) {
        _exit(go_on_and_look(*file));
    }
    int status = 0;
    ASSERT_EQ(waitpid(child.pid, &status, 0), child.pid);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace knarr::sys
