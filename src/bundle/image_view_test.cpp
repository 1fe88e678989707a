#include "bundle/image_view.h"

#include <cstdlib>
#include <fstream>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::bundle {
namespace {

class ImageViewTest : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) {
            GTEST_SKIP() << "needs root: mounts";
        }
        char path[] = "/tmp/knarr-view-XXXXXX";
        dir_ = mkdtemp(path);
        for (const auto* name : {"top", "low", "outside"}) {
            make_dir(name);
        }
        write("outside/secret", "secret");
    }
    void TearDown() override {
        if (!dir_.empty()) {
            const auto tmp = sys::open_path("/tmp", O_RDONLY | O_DIRECTORY);
            EXPECT_TRUE(sys::remove_tree_at(*tmp, dir_.substr(5)));
        }
    }
    void make_dir(const std::string& name) const {
        ASSERT_EQ(mkdir((dir_ + "/" + name).c_str(), 0755), 0) << name;
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(dir_ + "/" + name) << text;
    }
    void link(const std::string& target, const std::string& name) const {
        ASSERT_EQ(symlink(target.c_str(), (dir_ + "/" + name).c_str()), 0);
    }
    ImageView both() const { return ImageView({dir_ + "/top", dir_ + "/low"}); }
    std::string dir_;
};

TEST_F(ImageViewTest, UpperLayersHideLowerOnes) {
    make_dir("top/etc");
    make_dir("low/etc");
    write("top/etc/passwd", "top");
    write("low/etc/passwd", "low");
    write("low/etc/group", "group");
    ImageView view = both();
    EXPECT_EQ(view.read_file("/etc/passwd", 100).value(), "top");
    EXPECT_EQ(view.read_file("/etc/group", 100).value(), "group");
    EXPECT_EQ(view.read_file("/etc/none", 100).value(), std::nullopt);
}

TEST_F(ImageViewTest, AWhiteoutHidesTheFile) {
    make_dir("top/etc");
    make_dir("low/etc");
    write("low/etc/passwd", "low");
    ASSERT_EQ(mknod((dir_ + "/top/etc/passwd").c_str(), S_IFCHR, makedev(0, 0)), 0);
    EXPECT_EQ(both().read_file("/etc/passwd", 100).value(), std::nullopt);
}

TEST_F(ImageViewTest, ALayerCanHideAWholeDirectory) {
    for (const auto* dir : {"top/etc", "low/etc", "low/usr"}) {
        make_dir(dir);
    }
    write("low/etc/passwd", "low");
    write("low/usr/passwd", "low");
    ASSERT_EQ(setxattr((dir_ + "/top/etc").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
    ASSERT_EQ(mknod((dir_ + "/top/usr").c_str(), S_IFCHR, makedev(0, 0)), 0);
    ImageView view = both();
    EXPECT_EQ(view.read_file("/etc/passwd", 100).value(), std::nullopt);
    EXPECT_EQ(view.read_file("/usr/passwd", 100).value(), std::nullopt);
}

TEST_F(ImageViewTest, AFileInPlaceOfADirectoryHidesIt) {
    make_dir("low/etc");
    write("low/etc/passwd", "low");
    write("top/etc", "a file");
    EXPECT_EQ(both().read_file("/etc/passwd", 100).value(), std::nullopt);
}

TEST_F(ImageViewTest, ADirectoryMayBeALinkIntoAnotherLayer) {
    make_dir("low/real");
    write("low/real/passwd", "low");
    link("real", "top/etc");
    EXPECT_EQ(both().read_file("/etc/passwd", 100).value(), "low");
}

TEST_F(ImageViewTest, OneLayerIsEnough) {
    make_dir("low/etc");
    write("low/etc/passwd", "low");
    ImageView view({dir_ + "/low"});
    EXPECT_EQ(view.read_file("/etc/passwd", 100).value(), "low");
}

TEST_F(ImageViewTest, LinksStayInside) {
    make_dir("low/etc");
    make_dir("top/real");
    write("top/real/passwd", "inside");
    link("/real/passwd", "low/etc/passwd");
    link(dir_ + "/outside/secret", "low/etc/group");
    link("../../../../../../../.." + dir_ + "/outside/secret", "low/etc/up");
    link("loop", "low/etc/loop");
    ImageView view = both();
    EXPECT_EQ(view.read_file("/etc/passwd", 100).value(), "inside");
    EXPECT_EQ(view.read_file("/etc/group", 100).value(), std::nullopt);
    EXPECT_EQ(view.read_file("/etc/up", 100).value(), std::nullopt);
    EXPECT_EQ(view.read_file("/etc/loop", 100).value(), std::nullopt);
}

TEST_F(ImageViewTest, OnlyRegularFilesAreRead) {
    make_dir("low/etc");
    make_dir("low/etc/dir");
    ASSERT_EQ(mkfifo((dir_ + "/low/etc/fifo").c_str(), 0666), 0);
    ASSERT_EQ(mknod((dir_ + "/low/etc/zero").c_str(), S_IFCHR | 0666, makedev(1, 5)), 0);
    ImageView view = both();
    for (const auto* name : {"/etc/dir", "/etc/fifo", "/etc/zero"}) {
        const auto text = view.read_file(name, 100);
        ASSERT_TRUE(text) << name << ": " << text.error().message;
        EXPECT_EQ(*text, std::nullopt) << name;
    }
}

TEST_F(ImageViewTest, AHugeFileIsRefused) {
    make_dir("low/etc");
    write("low/etc/passwd", std::string(101, 'x'));
    const auto text = both().read_file("/etc/passwd", 100);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace knarr::bundle
