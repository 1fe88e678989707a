#pragma once

#include <cstdlib>
#include <string>

#include <fcntl.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::sys {

/// A directory of a test's own, 0700; it goes with all that is in it.
class TestDirectory {
public:
    TestDirectory() { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
    ~TestDirectory() {
        const auto parent = open_path("/tmp", O_RDONLY | O_DIRECTORY);
        EXPECT_TRUE(parent && remove_tree_at(*parent, path_.substr(5)));
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    TestDirectory(TestDirectory&&) = delete;
    TestDirectory& operator=(TestDirectory&&) = delete;

    const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/knarr-test-XXXXXX";
};

}  // namespace knarr::sys
