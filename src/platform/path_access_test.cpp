#include "platform/path_access.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/core.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"

namespace knarr::sys {
namespace {

Error denied() {
    return make_errno(EACCES, "open x");
}

TEST(PathAccess, OnlyAPermissionDeniedIsExplained) {
    const Error error = explain_denied(make_errno(ENOENT, "open x"), "/nowhere/x");
    EXPECT_EQ(error.message.find("may not pass"), std::string::npos);
}

TEST(PathAccess, WhatEveryDirectoryLetsPassIsLeftAsItIs) {
    EXPECT_EQ(explain_denied(denied(), "/tmp").message, denied().message);
}

TEST(PathAccess, TheDirectoryWithoutTheRightToPassIsNamed) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root: becomes another user";
    }
    std::string path = "/tmp/knarr-test-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    chmod(path.c_str(), 0755);
    std::filesystem::create_directories(path + "/closed/open");
    chmod((path + "/closed").c_str(), 0700);

    // In a child: there is no way back from another user.
    Result<Clone> child = clone_process(0);
    ASSERT_TRUE(child);
    if (child->in_child()) {
        if (setresuid(12345, 12345, 12345) != 0) {
            _exit(2);
        }
        const Error error = explain_denied(denied(), path + "/closed/open/file");
        const bool named = error.message.ends_with(": user 12345 may not pass " + path +
                                                   "/closed (mode 0700, owner 0:0)");
        const bool mended = error.hint.starts_with("chmod a+x " + path + "/closed");
        const Result<Fd> closed = open_path(path + "/closed", O_PATH | O_DIRECTORY);
        const bool refused = closed && !check_passable(*closed, "the place");
        _exit(named && mended && refused ? 0 : 1);
    }
    const Result<ExitStatus> status = reap(child->pidfd);
    const Result<Fd> tmp = open_path("/tmp", O_RDONLY | O_DIRECTORY);
    (void)remove_tree_at(*tmp, path.substr(5));
    ASSERT_TRUE(status);
    EXPECT_EQ(status->value, 0);
}

}  // namespace
}  // namespace knarr::sys
