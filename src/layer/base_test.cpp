#include "layer/base.h"

#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/testing_directory.h"

namespace knarr::layer {
namespace {

class Base : public testing::Test {
protected:
    mode_t mode_of(const std::string& path) {
        struct stat info{};
        EXPECT_EQ(lstat((base_path(root_) + path).c_str(), &info), 0) << path;
        return info.st_mode;
    }
    void expect_whole() {
        for (const char* path : {"", "/proc", "/dev", "/sys", "/etc"}) {
            EXPECT_EQ(mode_of(path), S_IFDIR | 0755U) << path;
        }
        for (const char* path : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}) {
            EXPECT_EQ(mode_of(path), S_IFREG | 0644U) << path;
        }
        const sys::Fd root = *sys::open_path(root_, O_RDONLY | O_DIRECTORY);
        EXPECT_EQ(*sys::list_dir(root), std::vector<std::string>{"base"});
    }
    sys::TestDirectory scratch_;
    std::string root_ = scratch_.path();
};

TEST_F(Base, HasThePlacesWithTheirModesWhateverTheUmask) {
    const mode_t before = umask(0077);
    EXPECT_TRUE(make_base(root_));
    umask(before);
    expect_whole();
    EXPECT_TRUE(make_base(root_)) << "it is there";
    expect_whole();
}

TEST_F(Base, OneThatWasKilledWhileMakingItIsNoHindrance) {
    ASSERT_EQ(mkdir((root_ + "/base.new").c_str(), 0700), 0);
    ASSERT_EQ(mkdir((root_ + "/base.new/etc").c_str(), 0700), 0);
    EXPECT_TRUE(make_base(root_));
    expect_whole();
}

TEST_F(Base, IsMadeByManyAtOnce) {
    std::vector<std::thread> makers;
    makers.reserve(8);
    for (int i = 0; i < 8; ++i) {
        makers.emplace_back([this] { EXPECT_TRUE(make_base(root_)); });
    }
    for (std::thread& maker : makers) {
        maker.join();
    }
    expect_whole();
}

TEST_F(Base, SomethingElseInItsPlaceIsNamed) {
    ASSERT_TRUE(sys::open_path(root_ + "/base.new", O_WRONLY | O_CREAT, 0600).has_value());
    const Result<> made = make_base(root_);
    ASSERT_FALSE(made.has_value());
    EXPECT_NE(made.error().message.find("base.new"), std::string::npos) << made.error().message;
}

}  // namespace
}  // namespace knarr::layer
