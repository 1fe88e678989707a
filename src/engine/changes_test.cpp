#include "engine/changes.h"

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

class Changes : public ::testing::Test {
protected:
    void SetUp() override {
        fs::create_directories(root_ / "lower/srv");
        fs::create_directory(root_ / "upper");
        write("lower/srv/a");
    }
    void write(const char* path) const { std::ofstream(root_ / path) << "text"; }
    Result<std::vector<Change>> compare(std::size_t max_bytes = kMaxChangesBytes) const {
        return compare_layer(*sys::open_path(root_ / "lower", O_RDONLY | O_DIRECTORY),
                             *sys::open_path(root_ / "upper", O_RDONLY | O_DIRECTORY),
                             {"/mnt/place"},
                             max_bytes);
    }
    std::string told() const {
        std::string text;
        const std::vector<Change> changes = compare().value();
        for (const Change& change : changes) {
            text += fmt::format("{}{} ", change.kind, change.path);
        }
        return text;
    }

    sys::TestDirectory scratch_;
    fs::path root_ = scratch_.path();
};

TEST_F(Changes, OfFilesAndDirectoriesAreTold) {
    fs::create_directories(root_ / "upper/srv");
    fs::create_directories(root_ / "upper/mnt/place");
    write("upper/srv/a");
    write("upper/srv/b");
    EXPECT_EQ(told(), "C/srv C/srv/a A/srv/b ");
}

TEST_F(Changes, ALinkOfALayerIsNotTheDirectoryThatItLeadsTo) {
    fs::create_symlink("srv", root_ / "lower/way");
    fs::create_directory(root_ / "upper/way");
    write("upper/way/a");
    EXPECT_EQ(told(), "C/way A/way/a ");
    fs::remove(root_ / "upper/way/a");
    fs::remove(root_ / "upper/way");
    fs::create_symlink("etc", root_ / "upper/way");
    EXPECT_EQ(told(), "C/way ");
}

TEST_F(Changes, PathsAreBoundedEachAndTogether) {
    write("upper/one");
    write("upper/two");
    EXPECT_TRUE(compare(2 * (sizeof(Change) + 4)).has_value());
    EXPECT_EQ(compare(2 * (sizeof(Change) + 4) - 1).error().code, Errc::limit_exceeded);
    sys::Fd at = *sys::open_path(root_ / "upper", O_RDONLY | O_DIRECTORY);
    const std::string name(255, 'd');
    for (int i = 0; i < 17; ++i) {
        ASSERT_EQ(mkdirat(at.get(), name.c_str(), 0700), 0);
        at = *sys::open_at(at, name, O_RDONLY | O_DIRECTORY);
    }
    EXPECT_EQ(compare().error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace knarr::engine
