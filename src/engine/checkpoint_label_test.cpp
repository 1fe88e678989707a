#include "engine/checkpoint_label.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

TEST(CheckpointLabel, ComesBackAsItWasWritten) {
    const CheckpointLabel label{
        .architecture = "x86_64",
        .memory_only = true,
        .files = {{.name = "core-1.img", .bytes = 7, .sum = 4'000'000'000U}}};
    const auto read = decode_label(encode_label(label));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->architecture, "x86_64");
    EXPECT_TRUE(read->memory_only);
    ASSERT_EQ(read->files.size(), 1U);
    EXPECT_EQ(read->files[0].name, "core-1.img");
    EXPECT_EQ(read->files[0].bytes, 7U);
    EXPECT_EQ(read->files[0].sum, 4'000'000'000U);
}

TEST(CheckpointLabel, NamesNothingOutsideOfItsDirectory) {
    for (const char* name : {"../core-1.img", "/etc/passwd", ""}) {
        CheckpointLabel label{.architecture = "x86_64", .files = {{.name = name}}};
        EXPECT_FALSE(decode_label(encode_label(label))) << name;
    }
    EXPECT_FALSE(decode_label("{}"));
    EXPECT_FALSE(decode_label("rubbish"));
}

}  // namespace
}  // namespace knarr::engine
