#include "platform/terminal.h"

#include <array>
#include <filesystem>

#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::sys {
namespace {

namespace fs = std::filesystem;

TEST(MakeTerminal, WhatStandsForThePtmxOfAnImageIsNeverOpened) {
    char name[] = "/tmp/knarr-terminal-XXXXXX";
    const fs::path base = mkdtemp(name);
    fs::create_directories(base / "dev/pts");
    const std::string fifo = base / "dev/pts/ptmx";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    const Fd reader = *open_path(fifo, O_RDONLY | O_NONBLOCK);

    const auto made = make_terminal(*open_path(base.string(), O_PATH | O_DIRECTORY));
    EXPECT_EQ(made ? Errc::io : made.error().code, Errc::denied);
    // A FIFO hangs up once there has been somebody at its other end.
    std::array<pollfd, 1> items{{{.fd = reader.get(), .events = POLLIN, .revents = 0}}};
    EXPECT_EQ(poll(items.data(), items.size(), 0), 0);

    const Fd parent = *open_path(base.parent_path().string(), O_PATH | O_DIRECTORY);
    EXPECT_TRUE(remove_tree_at(parent, base.filename().string()));
}

}  // namespace
}  // namespace knarr::sys
