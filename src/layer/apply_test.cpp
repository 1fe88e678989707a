// What an honest tar becomes.
#include "layer/apply.h"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/text.h"
#include "layer/layer.h"
#include "layer/testing_tar.h"
#include "platform/disk.h"

namespace knarr::layer {
namespace {

using testing_tar::Header;
using testing_tar::LayerTest;
using testing_tar::TarWriter;

TEST_P(LayerTest, MakesEveryKindOfEntry) {
    const auto done =
        unpack(TarWriter()
                   .add({.name = "./", .type = '5', .mode = 0711})
                   .dir("d", 02775)
                   .add({.name = "d/f", .mode = 04755, .uid = 5, .gid = 6}, "hello")
                   .symlink("l", "/anywhere/../x")
                   .hard_link("h", "d/f")
                   .add({.name = "c", .type = '3', .mode = 0666, .major = 1, .minor = 3})
                   .add({.name = "b", .type = '4', .mode = 0660, .major = 7, .minor = 1})
                   .add({.name = "p", .type = '6', .mode = 0600})
                   .end());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->entries, 8U);
    // With the driver erofs the whole tar stays: eight headers, the data's block, two at the end.
    EXPECT_EQ(done->bytes, GetParam() == Driver::dir ? 5U : std::uint64_t{11} * 512);
    EXPECT_EQ(info("").st_mode, S_IFDIR | 0711U);
    EXPECT_EQ(info("d").st_mode, S_IFDIR | 02775U);
    EXPECT_EQ(info("d").st_mtim.tv_sec, 1'600'000'000);
    EXPECT_EQ(info("d/f").st_mode, S_IFREG | 04755U);
    EXPECT_EQ(info("d/f").st_uid, 5U);
    EXPECT_EQ(info("d/f").st_gid, 6U);
    EXPECT_EQ(info("h").st_ino, info("d/f").st_ino);
    EXPECT_EQ(content("h"), "hello");
    EXPECT_TRUE(S_ISLNK(info("l").st_mode));
    EXPECT_EQ(info("c").st_mode, S_IFCHR | 0666U);
    EXPECT_EQ(info("c").st_rdev, makedev(1, 3));
    EXPECT_TRUE(S_ISBLK(info("b").st_mode));
    EXPECT_EQ(info("p").st_mode, S_IFIFO | 0600U);
}

TEST_P(LayerTest, TakesATarThatEndsWithoutPaddingAndZeros) {
    // umoci insert and other writers built on Go's leave such layers.
    ASSERT_TRUE(unpack(TarWriter().file("a").file("f", "hello").end().substr(0, 1536 + 5)));
    EXPECT_EQ(content("f"), "hello");
}

TEST_P(LayerTest, TheLaterOfTwoEntriesStays) {
    ASSERT_TRUE(unpack(TarWriter()
                           .file("a", "1")
                           .file("a", "2")
                           .file("b")
                           .dir("b")
                           .file("b/x")
                           .dir("c")
                           .file("c/x")
                           .file("c", "file")
                           .symlink("d", "/etc")
                           .dir("d")
                           .file("d/x")
                           .file("e", "1")
                           .symlink("e", "a")
                           .end()));
    EXPECT_EQ(content("a"), "2");
    EXPECT_TRUE(exists("b/x"));
    EXPECT_EQ(content("c"), "file");
    EXPECT_TRUE(exists("d/x"));
    EXPECT_TRUE(S_ISDIR(info("d").st_mode));
    EXPECT_TRUE(S_ISLNK(info("e").st_mode));
}

TEST_P(LayerTest, HidesLowerFilesWithWhiteouts) {
    ASSERT_TRUE(unpack(TarWriter().dir("d").file("d/gone").file("d/kept").file("top").end()));
    ASSERT_TRUE(unpack(
        TarWriter().file("d/.wh.gone").file(".wh.top").file(".wh.never-was").file("d/new").end()));
    EXPECT_TRUE(is_whiteout("d/gone"));
    EXPECT_TRUE(is_whiteout("top"));
    EXPECT_FALSE(exists("never-was"));
    EXPECT_FALSE(exists("d/kept"));
    EXPECT_TRUE(exists("d/new"));
}

TEST_P(LayerTest, AWhiteoutHidesNothingOfItsOwnLayer) {
    const std::string base = TarWriter().dir("d").file("d/old").file("f", "old").end();
    ASSERT_TRUE(unpack(base));
    for (const bool marker_first : {true, false}) {
        TarWriter tar;
        const auto markers = [&] { tar.file(".wh.d").file(".wh.f"); };
        const auto entries = [&] { tar.dir("d").file("d/new").file("f", "new"); };
        if (marker_first) {
            markers();
            entries();
        } else {
            entries();
            markers();
        }
        ASSERT_TRUE(unpack(tar.end()));
        EXPECT_TRUE(exists("d/new"));
        EXPECT_TRUE(is_opaque("d"));
        EXPECT_EQ(content("f"), "new");
        diff_ids_.pop_back();
    }
}

TEST_P(LayerTest, AnOpaqueMarkerHidesOnlyLowerLayersWhereverItStands) {
    ASSERT_TRUE(unpack(TarWriter().dir("d").dir("d/sub").file("d/sub/old").end()));
    ASSERT_TRUE(
        unpack(TarWriter().dir("d").file("d/before").file("d/.wh..wh..opq").file("d/after").end()));
    EXPECT_TRUE(is_opaque("d"));
    EXPECT_TRUE(exists("d/before"));
    EXPECT_TRUE(exists("d/after"));
    // Through the opaque directory nothing of the lowest layer is seen any more.
    EXPECT_FALSE(unpack(TarWriter().hard_link("h", "d/sub/old").end()));
    EXPECT_TRUE(unpack(TarWriter().hard_link("h", "d/before").end()));
}

TEST_P(LayerTest, ADirectoryInPlaceOfALowerOneThatWasReplacedIsOpaque) {
    ASSERT_TRUE(unpack(TarWriter().dir("d").file("d/old").end()));
    ASSERT_TRUE(unpack(TarWriter().file("d").dir("d").file("d/new").end()));
    EXPECT_TRUE(is_opaque("d"));
}

TEST_P(LayerTest, SkipsWhatAufsWroteForItself) {
    ASSERT_TRUE(unpack(TarWriter().dir(".wh..wh.plnk").file(".wh..wh.plnk/1.2").file("f").end()));
    EXPECT_TRUE(exists("f"));
    EXPECT_FALSE(exists(".wh..wh.plnk"));
}

TEST_P(LayerTest, ImplicitParentsLookLikeThoseOfLowerLayers) {
    ASSERT_TRUE(unpack(TarWriter()
                           .add({.name = "a",
                                 .type = '5',
                                 .mode = 01777,
                                 .uid = 7,
                                 .gid = 8,
                                 .mtime = 12345,
                                 .pax = {{"SCHILY.xattr.user.k", "v"}}})
                           .end()));
    ASSERT_TRUE(unpack(TarWriter().file("a/b/c").end()));
    EXPECT_EQ(info("a").st_mode, S_IFDIR | 01777U);
    EXPECT_EQ(info("a").st_uid, 7U);
    EXPECT_EQ(info("a").st_gid, 8U);
    EXPECT_EQ(info("a").st_mtim.tv_sec, 12345);
    const sys::Fd dir = sys::open_path(at("a"), O_RDONLY).value();
    EXPECT_EQ(sys::get_xattr(dir, "user.k").value(), "v");
    EXPECT_EQ(info("a/b").st_mode, S_IFDIR | 0755U);
    EXPECT_EQ(info("a/b").st_uid, 0U);
}

TEST_P(LayerTest, PutsAnEntryWhereALowerLinkLeads) {
    ASSERT_TRUE(unpack(TarWriter()
                           .dir("usr")
                           .dir("usr/lib", 0750)
                           .symlink("lib", "usr/lib")
                           .symlink("lib64", "/lib")
                           .end()));
    ASSERT_TRUE(unpack(TarWriter().file("lib/foo").file("lib64/bar").end()));
    EXPECT_FALSE(exists("lib"));
    EXPECT_TRUE(exists("usr/lib/foo"));
    EXPECT_TRUE(exists("usr/lib/bar"));
    EXPECT_EQ(info("usr/lib").st_mode, S_IFDIR | 0750U);
}

TEST_P(LayerTest, AnEntryOnALinkReplacesIt) {
    ASSERT_TRUE(unpack(TarWriter().dir("real").symlink("link", "real").end()));
    ASSERT_TRUE(unpack(TarWriter().dir("link").file("link/f").end()));
    EXPECT_TRUE(S_ISDIR(info("link").st_mode));
    EXPECT_TRUE(exists("link/f"));
    EXPECT_FALSE(exists("real"));
}

TEST_P(LayerTest, CopiesALowerFileUpForAHardLink) {
    ASSERT_TRUE(unpack(TarWriter()
                           .dir("d", 0700)
                           .add({.name = "d/f",
                                 .mode = 04711,
                                 .uid = 3,
                                 .gid = 4,
                                 .mtime = 99,
                                 .pax = {{"SCHILY.xattr.user.k", "v"}}},
                                "data")
                           .end()));
    const auto done = unpack(TarWriter().hard_link("h", "d/f").end());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(info("h").st_ino, info("d/f").st_ino);
    EXPECT_EQ(content("h"), "data");
    EXPECT_EQ(info("h").st_mode, S_IFREG | 04711U);
    EXPECT_EQ(info("h").st_uid, 3U);
    EXPECT_EQ(info("h").st_mtim.tv_sec, 99);
    EXPECT_EQ(info("d").st_mode, S_IFDIR | 0700U);
    const sys::Fd file = sys::open_path(at("h"), O_RDONLY).value();
    EXPECT_EQ(sys::get_xattr(file, "user.k").value(), "v");
}

/// Capabilities and ACLs, right and wrong ones.
std::vector<std::pair<const char*, std::string>> values_for_the_kernel() {
    const auto bytes = [](std::string_view text) { return std::string(text); };
    const auto entry = [](char tag, char permissions, char id) {
        return std::string{tag, 0, permissions, 0, id, id, id, id};
    };
    const std::string zeros(20, '\0'), acl("\2\0\0\0", 4);
    const std::string owner = entry(1, 7, -1), user = entry(2, 6, 5), group = entry(4, 5, -1);
    const std::string mask = entry(16, 7, -1), others = entry(32, 0, -1);
    std::vector<std::pair<const char*, std::string>> out;
    for (const std::string& magic : {bytes({"\0\0\0\2", 4}),
                                     bytes({"\1\0\0\2", 4}),
                                     bytes({"\1\0\0\3", 4}),
                                     bytes({"\2\0\0\2", 4}),
                                     bytes({"\1\0\0\1", 4}),
                                     bytes("abcd")}) {
        for (const std::size_t more :
             {std::size_t{8}, std::size_t{16}, std::size_t{17}, std::size_t{20}}) {
            out.emplace_back("security.capability", magic + zeros.substr(0, more));
        }
    }
    out.emplace_back("security.capability", "x");
    for (const std::string& list : {owner + group + others,
                                    owner + user + group + mask + others,
                                    owner + group + mask + others,
                                    owner + user + group + others,
                                    group + owner + others,
                                    owner + group,
                                    owner + owner + group + others,
                                    owner + group + others + others,
                                    owner + entry(4, 9, -1) + others,
                                    owner + group + others + "x",
                                    owner + entry(2, 6, -1) + group + mask + others,
                                    entry(3, 7, -1) + group + others}) {
        out.emplace_back("system.posix_acl_access", acl + list);
        out.emplace_back("system.posix_acl_access", std::string("\1\0\0\0", 4) + list);
    }
    out.emplace_back("system.posix_acl_access", "\2");
    return out;
}

TEST(XattrCheck, IsTheKernels) {
    if (sys::effective_uid() != 0) {
        GTEST_SKIP() << "needs root to set capabilities";
    }
    char name[] = "/tmp/knarr-xattr-XXXXXX";
    const sys::Fd file(mkstemp(name));
    unsigned right = 0;
    for (const auto& [attribute, value] : values_for_the_kernel()) {
        const bool set = sys::set_xattr(file, attribute, value).has_value();
        EXPECT_EQ(check_xattr(attribute, value).has_value(), set)
            << attribute << " " << printable(value, 100);
        right += set ? 1 : 0;
    }
    EXPECT_GE(right, 5U);
    unlink(name);
}

TEST_P(LayerTest, RefusesAttributesThatTheKernelRefuses) {
    for (const auto& [attribute, value] : values_for_the_kernel()) {
        const auto done = unpack(
            TarWriter()
                .add({.name = "f", .pax = {{std::string("SCHILY.xattr.") + attribute, value}}})
                .end());
        EXPECT_EQ(done.has_value(), check_xattr(attribute, value).has_value())
            << printable(value, 100);
        if (!done) {
            EXPECT_EQ(done.error().code, Errc::invalid_image);
            EXPECT_NE(done.error().message.find(attribute), std::string::npos);
        }
    }
}

TEST_P(LayerTest, KeepsPortableAttributesAndSkipsTheHosts) {
    const auto done = unpack(TarWriter()
                                 .add({.name = "f",
                                       .pax = {{"SCHILY.xattr.user.zero", std::string("a\0b", 3)},
                                               {"SCHILY.xattr.trusted.overlay.opaque", "y"},
                                               {"SCHILY.xattr.security.selinux", "label"}}})
                                 .end());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->skipped_xattrs, 2U);
    const sys::Fd file = sys::open_path(at("f"), O_RDONLY).value();
    EXPECT_EQ(sys::get_xattr(file, "user.zero").value(), std::string("a\0b", 3));
    EXPECT_FALSE(sys::get_xattr(file, "trusted.overlay.opaque").value());
}

TEST_P(LayerTest, GivesFilesInASetGroupIdDirectoryTheirOwnGroup) {
    ASSERT_TRUE(unpack(TarWriter()
                           .add({.name = "mail", .type = '5', .mode = 02775, .gid = 8})
                           .file("mail/f")
                           .symlink("mail/l", "f")
                           .dir("mail/d")
                           .end()));
    EXPECT_EQ(info("mail/f").st_gid, 0U);
    EXPECT_EQ(info("mail/l").st_gid, 0U);
    EXPECT_EQ(info("mail/d").st_mode, S_IFDIR | 0755U);
}

TEST_P(LayerTest, KeepsNanosecondsAndTimesBefore1970) {
    ASSERT_TRUE(unpack(TarWriter()
                           .add({.name = "n", .pax = {{"mtime", "1234567890.123456789"}}})
                           .add({.name = "old", .pax = {{"mtime", "-1.25"}}})
                           .end()));
    EXPECT_EQ(info("n").st_mtim.tv_sec, 1234567890);
    EXPECT_EQ(info("n").st_mtim.tv_nsec, 123456789);
    EXPECT_EQ(info("old").st_mtim.tv_sec, -2);
    EXPECT_EQ(info("old").st_mtim.tv_nsec, 750'000'000);
}

TEST_P(LayerTest, ThePaxSizeRulesTheData) {
    // CVE-2025-62518: whoever believed the header's size of 0 would read the data as an entry.
    const std::string inner = TarWriter().file("smuggled").without_end();
    TarWriter tar;
    tar.add({.name = "outer", .pax = {{"size", std::to_string(inner.size())}}, .stated_size = 0},
            inner);
    ASSERT_TRUE(unpack(tar.end()));
    EXPECT_EQ(content("outer"), inner);
    EXPECT_FALSE(exists("smuggled"));
}

TEST_P(LayerTest, ReadsATarWithoutTheEndBlocks) {
    EXPECT_TRUE(unpack(TarWriter().file("f").without_end()));
}

TEST_P(LayerTest, UnpacksALayerOnce) {
    const std::string tar = TarWriter().file("f", "12345").end();
    ASSERT_TRUE(unpack(tar));
    diff_ids_.clear();
    const auto again = unpack(tar);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->bytes, GetParam() == Driver::dir ? 5U : tar.size());
    EXPECT_EQ(layers(), 1U);
}

TEST_P(LayerTest, RefusesALayerWhoseLowerOneIsMissing) {
    diff_ids_.push_back(store::sha256_of("never unpacked"));
    EXPECT_EQ(unpack(TarWriter().file("f").end()).error().code, Errc::image_not_found);
}

TEST_P(LayerTest, MakesTheDirectoriesOfARoot) {
    ASSERT_TRUE(unpack(TarWriter().add({.name = "./", .type = '5', .mode = 0751, .uid = 9}).end()));
    ASSERT_TRUE(unpack(TarWriter().file("f").end()));
    const std::string container = path_ + "/container";
    ASSERT_EQ(mkdir(container.c_str(), 0700), 0);
    show_layers();
    const auto chain = store::chain_ids(diff_ids_);
    const auto root = make_root(store(), chain, container, RootAccess::read_write);
    ASSERT_TRUE(root) << root.error().message;
    ASSERT_EQ(root->lowers.size(), 2U);
    EXPECT_EQ(root->lowers[0], store().layer_path(chain[1]) + "/fs");
    struct stat upper{};
    ASSERT_EQ(lstat(root->upper.c_str(), &upper), 0);
    EXPECT_EQ(upper.st_mode, S_IFDIR | 0751U);
    EXPECT_EQ(upper.st_uid, 9U);
}

TEST_P(LayerTest, AnOpaqueRootHidesAllLayersBelow) {
    ASSERT_TRUE(unpack(TarWriter().file("old").end()));
    ASSERT_TRUE(unpack(TarWriter().file(".wh..wh..opq").file("new").end()));
    ASSERT_TRUE(unpack(TarWriter().file("newer").end()));
    show_layers();
    const auto chain = store::chain_ids(diff_ids_);
    const auto root = make_root(store(), chain, path_, RootAccess::read_only).value();
    ASSERT_EQ(root.lowers.size(), 2U);
    EXPECT_EQ(root.lowers[1], store().layer_path(chain[1]) + "/fs");
}

TEST_P(LayerTest, AReadOnlyRootHasNoUpper) {
    ASSERT_TRUE(unpack(TarWriter().file("f").end()));
    show_layers();
    const auto chain = store::chain_ids(diff_ids_);
    const auto root = make_root(store(), chain, path_, RootAccess::read_only);
    ASSERT_TRUE(root);
    EXPECT_TRUE(root->upper.empty());
    EXPECT_TRUE(root->work.empty());
    show_layers();
    EXPECT_EQ(
        make_root(store(), {store::sha256_of("x")}, path_, RootAccess::read_only).error().code,
        Errc::image_not_found);
}

INSTANTIATE_TEST_SUITE_P(Apply,
                         LayerTest,
                         testing::Values(Driver::dir, Driver::erofs),
                         testing_tar::driver_name);

}  // namespace
}  // namespace knarr::layer
