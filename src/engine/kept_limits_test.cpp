#include "engine/kept_limits.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

TEST(KeptLimits, WhatIsNotNamedStays) {
    spec::Resources have;
    have.pids_limit = 100;
    have.memory.emplace().limit = 64;
    have.memory->swap = 128;
    have.block_io.emplace().read_bps = {{.major = 8, .minor = 0, .rate = 1},
                                        {.major = 8, .minor = 16, .rate = 2}};
    spec::Resources change;
    change.memory.emplace().limit = 32;
    change.memory->swap = 0;
    change.memory->disable_oom_killer = true;
    change.cpu.emplace().quota = 5000;
    change.cpu->shares = 0;
    change.block_io.emplace().read_bps = {{.major = 8, .minor = 0, .rate = 7}};
    change_limits(have, change);
    EXPECT_EQ(have.memory->limit, 32);
    EXPECT_EQ(have.memory->swap, 128);
    EXPECT_EQ(have.memory->disable_oom_killer, true);
    EXPECT_EQ(have.cpu->quota, 5000);
    EXPECT_FALSE(have.cpu->shares);
    EXPECT_EQ(have.pids_limit, 100);
    ASSERT_EQ(have.block_io->read_bps.size(), 2U);
    EXPECT_EQ(have.block_io->read_bps.back().rate, 7U);
    change_limits(have, {.pids_limit = -1});
    EXPECT_EQ(have.pids_limit, -1);
}

TEST(KeptLimits, AnImagesContainerHasTheBoundsOfRun) {
    spec::Resources wanted;
    EXPECT_TRUE(check_image_limits(wanted));
    wanted.memory.emplace().limit = 512 * 1024;
    EXPECT_TRUE(check_image_limits(wanted));
    wanted.memory->limit = -1;
    EXPECT_TRUE(check_image_limits(wanted));
    wanted.memory->limit = 512 * 1024 - 1;
    EXPECT_FALSE(check_image_limits(wanted));
    wanted.memory.reset();
    wanted.cpu.emplace().shares = 262144;
    EXPECT_TRUE(check_image_limits(wanted));
    wanted.cpu->shares = 262145;
    EXPECT_FALSE(check_image_limits(wanted));
}

}  // namespace
}  // namespace knarr::engine
