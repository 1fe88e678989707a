#include "platform/file.h"

#include <fcntl.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/node.h"
#include "platform/testing_directory.h"

namespace knarr::sys {
namespace {

class FileInPlace : public testing::Test {
protected:
    TestDirectory scratch_;
    Fd dir_ = *open_path(scratch_.path(), O_RDONLY | O_DIRECTORY);
};

TEST_F(FileInPlace, TakesTheWholePlaceOfWhatWasInIt) {
    ASSERT_TRUE(make_file_at(dir_, "file", "a long text", 0600).has_value());
    ASSERT_TRUE(make_file_at(dir_, "file", "short", 0600).has_value());
    EXPECT_EQ(*read_file_at(dir_, "file", 64), "short");
}

TEST_F(FileInPlace, IsNotWrittenThroughALink) {
    ASSERT_TRUE(make_file_at(dir_, "target", "text", 0600).has_value());
    ASSERT_TRUE(make_symlink_at(dir_, "link", "target").has_value());
    EXPECT_FALSE(make_file_at(dir_, "link", "other", 0600).has_value());
    EXPECT_EQ(*read_file_at(dir_, "target", 64), "text");
}

}  // namespace
}  // namespace knarr::sys
