#include "engine/volumes.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/testing_directory.h"
#include "platform/xattr.h"

namespace knarr::engine {
namespace {

namespace fs = std::filesystem;

class Volumes : public ::testing::Test {
protected:
    fs::path content(const std::string& name) const { return mountpoint_of(root_, name); }
    /// An image's root file system with a directory.
    fs::path make_image() const {
        const fs::path image = root_ + "/image";
        fs::create_directories(image / "data/sub");
        std::ofstream(image / "data/file") << "text";
        fs::create_hard_link(image / "data/file", image / "data/sub/same");
        fs::create_symlink("/etc/passwd", image / "data/link");
        chmod((image / "data").c_str(), 0750);
        chmod((image / "data/file").c_str(), 0604);
        return image;
    }
    Result<> fill(const std::string& name, const std::string& target) const {
        const auto image = sys::open_path(root_ + "/image", O_PATH | O_DIRECTORY);
        return fill_volume(root_, name, *image, target);
    }

    sys::TestDirectory scratch_;
    std::string root_ = scratch_.path();
};

mode_t mode_of(const fs::path& path) {
    struct stat info{};
    EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
}

TEST(VolumeName, IsDockers) {
    for (const char* good : {"ab", "a.b-c_d", "0x"}) {
        EXPECT_TRUE(check_volume_name(good)) << good;
    }
    for (const char* bad : {"", "a", ".a", "-a", "a/b", "..", "a b", "\xc3\xa4\xc3\xa4"}) {
        EXPECT_FALSE(check_volume_name(bad)) << bad;
    }
    EXPECT_FALSE(check_volume_name(std::string(256, 'a')));
    EXPECT_TRUE(check_volume_name(new_volume_name()));
}

TEST(VolumeSource, TellsItsVolume) {
    EXPECT_EQ(volume_shown_by("/r", "/r/volumes/ab/_data"), "ab");
    for (const char* other :
         {"/r/volumes/ab", "/r/volumes/ab/_data/x", "/x/volumes/ab/_data", "/r"}) {
        EXPECT_EQ(volume_shown_by("/r", other), "") << other;
    }
    EXPECT_EQ(volume_shown_by("", "/volumes/ab/_data"), "");
}

TEST_F(Volumes, AreMadeOnceFoundAndRemoved) {
    EXPECT_TRUE(list_volumes(root_)->empty());
    const auto made = make_volume(root_, {.name = "one", .labels = {{"a", "1"}}});
    ASSERT_TRUE(made) << made.error().message;
    std::ofstream(content("one") / "file") << "x";
    const auto again = make_volume(root_, {.name = "one", .labels = {}, .anonymous = true});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->labels.at("a"), "1");
    EXPECT_FALSE(again->anonymous);
    EXPECT_EQ(again->created, made->created);
    EXPECT_EQ(mode_of(content("one")), 0755u);
    EXPECT_EQ(list_volumes(root_)->size(), 1u);
    EXPECT_TRUE(remove_volume(root_, "one"));
    EXPECT_EQ(remove_volume(root_, "one").error().code, Errc::not_found);
    EXPECT_EQ(find_volume(root_, "one").error().code, Errc::not_found);
    EXPECT_EQ(find_volume(root_, "../image").error().code, Errc::not_found);
    EXPECT_FALSE(fs::exists(content("one")));
}

TEST_F(Volumes, ADamagedOneCanStillBeUsedAndRemoved) {
    ASSERT_TRUE(make_volume(root_, {.name = "one"}));
    std::ofstream(root_ + "/volumes/one/meta") << "{\"crea";
    const auto found = find_volume(root_, "one");
    ASSERT_TRUE(found);
    EXPECT_NE(found->damage, "");
    EXPECT_EQ(list_volumes(root_)->size(), 1u);
    EXPECT_TRUE(remove_volume(root_, "one"));
}

TEST_F(Volumes, AnEmptyOneGetsWhatTheImageHasOnce) {
    const fs::path image = make_image();
    ASSERT_TRUE(make_volume(root_, {.name = "one"}));
    const auto filled = fill("one", "/data");
    ASSERT_TRUE(filled) << filled.error().message;
    EXPECT_EQ(mode_of(content("one")), 0750u);
    EXPECT_EQ(mode_of(content("one") / "file"), 0604u);
    EXPECT_EQ(fs::last_write_time(content("one") / "file"),
              fs::last_write_time(image / "data/file"));
    EXPECT_EQ(fs::hard_link_count(content("one") / "sub/same"), 2u);
    EXPECT_EQ(fs::read_symlink(content("one") / "link"), "/etc/passwd");
    fs::remove(content("one") / "file");
    ASSERT_TRUE(fill("one", "/data"));
    EXPECT_FALSE(fs::exists(content("one") / "file"));
}

TEST_F(Volumes, TheImagesLinksLeadNowhereElse) {
    const fs::path image = make_image();
    fs::create_directories(root_ + "/secret/inside");
    fs::create_symlink(root_ + "/secret", image / "absolute");
    fs::create_symlink("../secret", image / "relative");
    fs::create_symlink("/data", image / "own");
    ASSERT_TRUE(make_volume(root_, {.name = "one"}));
    for (const char* target : {"/absolute", "/relative", "/../secret", "/none", "/data/file"}) {
        EXPECT_TRUE(fill("one", target)) << target;
        EXPECT_TRUE(fs::is_empty(content("one"))) << target;
    }
    ASSERT_TRUE(fill("one", "/own"));
    EXPECT_TRUE(fs::exists(content("one") / "file"));
}

TEST_F(Volumes, AKilledFillIsGoneOnWith) {
    make_image();
    ASSERT_TRUE(make_volume(root_, {.name = "one"}));
    const fs::path volume = content("one").parent_path();
    fs::create_directories(volume / "copying/part");
    ASSERT_TRUE(fill("one", "/data"));
    EXPECT_FALSE(fs::exists(volume / "copying"));
    EXPECT_FALSE(fs::exists(content("one") / "part"));

    // Killed while it moved: what is there stays, the rest comes.
    fs::create_directories(volume / "copied");
    std::ofstream(volume / "copied/late") << "late";
    std::ofstream(volume / "copied/file") << "other";
    ASSERT_TRUE(fill("one", "/data"));
    EXPECT_TRUE(fs::exists(content("one") / "late"));
    EXPECT_EQ(fs::file_size(content("one") / "file"), 4u);
    EXPECT_FALSE(fs::exists(volume / "copied"));
}

TEST_F(Volumes, ATreeThatIsTooDeepIsRefusedAndLeavesNothing) {
    fs::path deep = make_image() / "deep";
    for (int i = 0; i < 450; ++i) {
        deep /= "d";
    }
    fs::create_directories(deep);
    ASSERT_TRUE(make_volume(root_, {.name = "one"}));
    const auto filled = fill("one", "/deep");
    ASSERT_FALSE(filled);
    EXPECT_EQ(filled.error().code, Errc::limit_exceeded);
    EXPECT_TRUE(fs::is_empty(content("one")));
    EXPECT_FALSE(fs::exists(content("one").parent_path() / "copying"));
}

TEST_F(Volumes, ExtendedAttributesAreCopied) {
    const fs::path image = make_image();
    const auto file = sys::open_path((image / "data/file").string(), O_RDONLY);
    if (!sys::set_xattr(*file, "user.mark", "x")) {
        GTEST_SKIP() << "needs a file system with user.* attributes";
    }
    ASSERT_TRUE(make_volume(root_, {.name = "one"}));
    ASSERT_TRUE(fill("one", "/data"));
    const auto copy = sys::open_path((content("one") / "file").string(), O_RDONLY);
    EXPECT_EQ(*sys::get_xattr(*copy, "user.mark"), "x");
}

}  // namespace
}  // namespace knarr::engine
