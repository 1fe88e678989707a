#include "engine/image_trees.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/testing_directory.h"

namespace knarr::engine {
namespace {

namespace fs = std::filesystem;

class Trees : public testing::Test {
protected:
    void SetUp() override {
        fs::create_directories(old_ = base_ / "old");
        fs::create_directories(new_ = base_ / "new");
    }
    std::string compare() const {
        const auto before = sys::open_path(old_.string(), O_RDONLY | O_DIRECTORY);
        const auto after = sys::open_path(new_.string(), O_RDONLY | O_DIRECTORY);
        const auto changes = compare_trees(*before, *after);
        if (!changes) {
            return changes.error().message;
        }
        std::string out;
        for (const Change& change : *changes) {
            out += std::string(1, change.kind) + change.path + " ";
        }
        return out;
    }
    static void write(const fs::path& path, std::string_view text) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }

    sys::TestDirectory scratch_;
    fs::path base_ = scratch_.path(), old_, new_;
};

TEST_F(Trees, EqualOnesHaveNoDifferenceWhateverTheirTimes) {
    write(old_ / "a/b", "text");
    write(new_ / "a/b", "text");
    fs::last_write_time(old_ / "a/b", fs::file_time_type{});
    EXPECT_EQ(compare(), "");
}

TEST_F(Trees, ContentOfTheSameSizeIsLookedAt) {
    const std::string large(200'000, 'x');
    write(old_ / "a", large + "1");
    write(new_ / "a", large + "2");
    EXPECT_EQ(compare(), "C/a ");
}

TEST_F(Trees, ADirectoryChangesWithWhatIsInIt) {
    write(old_ / "d/gone", "");
    write(new_ / "d/e/come", "");
    EXPECT_EQ(compare(), "C/d A/d/e A/d/e/come D/d/gone ");
}

TEST_F(Trees, KindsModesAndLinksCount) {
    write(old_ / "kind/in", "");
    write(new_ / "kind", "");
    write(old_ / "mode", "");
    write(new_ / "mode", "");
    chmod((new_ / "mode").c_str(), 04755);
    fs::create_symlink("a", old_ / "link");
    fs::create_symlink("b", new_ / "link");
    EXPECT_EQ(compare(), "C/kind C/link C/mode ");
}

TEST_F(Trees, WhatTakesTooMuchToTellIsRefused) {
    for (const fs::path& tree : {old_, new_}) {
        write(tree / "same/file", "");
        write(tree / "same/next", "");  // takes the place of what turned out to be the same
    }
    write(new_ / "added", "");
    const auto told = [&](std::size_t max_bytes) {
        return compare_trees(*sys::open_path(old_.string(), O_RDONLY | O_DIRECTORY),
                             *sys::open_path(new_.string(), O_RDONLY | O_DIRECTORY),
                             max_bytes);
    };
    const std::size_t needed =
        sizeof(Change) * 3 + std::string_view("/added/same/same/file").size();
    ASSERT_TRUE(told(needed).has_value());
    ASSERT_EQ(told(needed)->size(), 1U);
    const auto refused = told(needed - 1);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
}

TEST_F(Trees, ARootFileSystemGoesIntoNoDirectoryThatOthersMayWriteTo) {
    write(old_ / "file", "text");
    const auto fill = [&] {
        return fill_rootfs(*sys::open_path(old_.string(), O_RDONLY | O_DIRECTORY),
                           *sys::open_path(new_.string(), O_RDONLY | O_DIRECTORY),
                           "it");
    };
    for (const mode_t mode : {01777U, 0770U, 0702U}) {
        chmod(new_.c_str(), mode);
        const auto filled = fill();
        ASSERT_FALSE(filled.has_value());
        EXPECT_EQ(filled.error().code, Errc::invalid_argument);
        EXPECT_TRUE(fs::is_empty(new_));
    }
    chmod(new_.c_str(), 0755);
    EXPECT_TRUE(fill().has_value());
    EXPECT_TRUE(fs::exists(new_ / "file"));
}

TEST_F(Trees, ADirectoryThatCannotBeFilledIsAsItWas) {
    fs::path deep = "d";
    for (int i = 0; i < 410; ++i) {
        deep /= "d";
    }
    fs::create_directories(old_ / deep);
    chmod(new_.c_str(), 0751);
    const auto filled = fill_rootfs(*sys::open_path(old_.string(), O_RDONLY | O_DIRECTORY),
                                    *sys::open_path(new_.string(), O_RDONLY | O_DIRECTORY),
                                    "it");
    ASSERT_FALSE(filled.has_value());
    EXPECT_EQ(filled.error().code, Errc::limit_exceeded);
    EXPECT_TRUE(fs::is_empty(new_));
    EXPECT_EQ(fs::status(new_).permissions(), fs::perms(0751));
}

TEST_F(Trees, WhatIsTooDeepIsRefused) {
    fs::path deep = "d";
    for (int i = 0; i < 410; ++i) {
        deep /= "d";
    }
    fs::create_directories(new_ / deep);
    EXPECT_NE(compare().find("deeper than"), std::string::npos);
}

}  // namespace
}  // namespace knarr::engine
