// Tars made to do harm. Each is refused by an error that names layer and entry, and leaves nothing.
#include <unistd.h>

#include <gtest/gtest.h>

#include "layer/layer.h"
#include "layer/testing_deflate.h"
#include "layer/testing_tar.h"

namespace knarr::layer {
namespace {

using testing_tar::Header;
using testing_tar::LayerTest;
using testing_tar::TarWriter;

struct Hostile {
    std::string what;
    std::string tar;
    std::string says;  // part of the message
    Errc code = Errc::invalid_image;
};

std::string deep(int levels) {
    std::string path;
    for (int i = 0; i < levels; ++i) {
        path += "d/";
    }
    return path;
}

// A table, one line of reading per attack.
std::vector<Hostile> hostile_tars() {  // NOLINT(readability-function-size)
    const std::string long_name(300, 'n');
    const auto pax = [](std::map<std::string, std::string> records, char type = '0') {
        return TarWriter().add({.name = "entry", .type = type, .pax = std::move(records)}).end();
    };
    return {
        {"dot dot", TarWriter().file("../evil").end(), "../evil"},
        {"dot dot inside", TarWriter().file("a/../../evil").end(), "a/../../evil"},
        {"dot dot at the end", TarWriter().dir("a/..").end(), "a/.."},
        {"absolute", TarWriter().file("/etc/passwd").end(), "absolute"},
        {"empty path", pax({{"path", ""}}) + "", ""},
        {"NUL in a PAX path", pax({{"path", std::string("a\0b", 3)}}), "NUL"},
        {"NUL in a PAX link", pax({{"linkpath", std::string("a\0b", 3)}}, '2'), "NUL"},
        {"through an own link",
         TarWriter().symlink("link", "/etc").file("link/evil").end(),
         "link/evil"},
        {"through an own relative link",
         TarWriter().dir("a").symlink("a/up", "../..").file("a/up/evil").end(),
         "a/up/evil"},
        {"directory through an own link",
         TarWriter().symlink("link", "/tmp").dir("link/evil").end(),
         "link/evil"},
        {"link loop", TarWriter().symlink("l", "l").file("l/x").end(), "l/x"},
        {"whiteout through an own link",
         TarWriter().symlink("link", "/etc").file("link/.wh.passwd").end(),
         ".wh.passwd"},
        {"opaque marker through an own link",
         TarWriter().symlink("link", "/etc").file("link/.wh..wh..opq").end(),
         ".wh..wh..opq"},
        {"hard link out", TarWriter().hard_link("h", "../../etc/passwd").end(), "etc/passwd"},
        {"absolute hard link", TarWriter().hard_link("h", "/etc/passwd").end(), "/etc/passwd"},
        {"hard link to a link",
         TarWriter().symlink("link", "/etc/passwd").hard_link("h", "link").end(),
         "symbolic link"},
        {"hard link through a link",
         TarWriter().symlink("link", "/etc").hard_link("h", "link/passwd").end(),
         "link/passwd"},
        {"hard link to nothing", TarWriter().hard_link("h", "nothing").end(), "nothing"},
        {"hard link to a directory", TarWriter().dir("d").hard_link("h", "d").end(), "directory"},
        {"hard link to itself", TarWriter().file("h").hard_link("h", "h").end(), "itself"},
        {"hard link to the root", TarWriter().hard_link("h", "./").end(), "hard link"},
        {"whiteout of nothing", TarWriter().file(".wh.").end(), ".wh."},
        {"whiteout of dot", TarWriter().file("a/.wh..").end(), "whiteout of nothing"},
        {"whiteout of dot dot", TarWriter().file("a/.wh...").end(), "whiteout of nothing"},
        {"entry in a whiteout", TarWriter().file(".wh.a/b").end(), "inside a whiteout"},
        {"whiteout that is a link", TarWriter().symlink(".wh.a", "b").end(), "not a file"},
        {"a device that is a whiteout", TarWriter().add({.name = "dev", .type = '3'}).end(), "0:0"},
        {"a file as a parent", TarWriter().file("f").file("f/x").end(), "not a directory"},
        {"a fifo as a parent",
         TarWriter().add({.name = "p", .type = '6'}).file("p/x").end(),
         "not a directory"},
        {"the root as a link", TarWriter().symlink("./", "/etc").end(), "root"},
        {"a name that is too long", pax({{"path", long_name}}), "255", Errc::limit_exceeded},
        {"a path that is too long", pax({{"path", deep(2100)}}, '5'), "4095", Errc::limit_exceeded},
        {"an empty link", TarWriter().symlink("l", "").end(), "link's target"},
        {"wrong checksum",
         TarWriter().add({.name = "f", .break_checksum = true}).end(),
         "checksum"},
        {"unknown type", TarWriter().add({.name = "f", .type = 'M'}).end(), "type M"},
        {"cut off in a header", TarWriter().file("f").file("g").end().substr(0, 1200), "cut off"},
        {"cut off in data",
         TarWriter().file("f", std::string(5000, 'x')).end().substr(0, 2048),
         "cut off"},
        {"cut off by its size",
         TarWriter().add({.name = "f", .stated_size = 077777777777}).end(),
         "cut off"},
        {"a PAX size beyond the data", pax({{"size", "999999999"}}), "cut off"},
        {"a PAX size that is no number", pax({{"size", "-1"}}), "size"},
        {"a PAX size past 64 bits", pax({{"size", "99999999999999999999"}}), "size"},
        {"a uid past 32 bits", pax({{"uid", "4294967296"}}), "uid"},
        {"the uid that means no change", pax({{"uid", "4294967295"}}), "uid"},
        {"a PAX record that is too long",
         TarWriter().add({.name = "p", .type = 'x'}, "99 path=x\n").file("f").end(),
         "wrong length"},
        {"a PAX record without a key",
         TarWriter().add({.name = "p", .type = 'x'}, "6 =x\n\n").file("f").end(),
         "PAX record"},
        {"a PAX header without an entry",
         TarWriter().add({.name = "p", .type = 'x'}, "9 path=x\n").end(),
         "extended header"},
        {"a huge PAX header",
         TarWriter().add({.name = "p", .type = 'x', .stated_size = 1 << 30}).end(),
         "PAX header",
         Errc::limit_exceeded},
        {"a huge long name",
         TarWriter().add({.name = "p", .type = 'L', .stated_size = 1 << 30}).end(),
         "long name",
         Errc::limit_exceeded},
        {"attributes that are too large",
         pax({{"SCHILY.xattr.user.a", std::string(600'000, 'a')},
              {"SCHILY.xattr.user.b", std::string(600'000, 'b')}}),
         "",
         Errc::limit_exceeded},
        {"a sparse map out of order",
         pax({{"GNU.sparse.size", "100"}, {"GNU.sparse.map", "50,0,0,0"}}),
         "sparse map"},
        {"a sparse map that leaves the file",
         pax({{"GNU.sparse.size", "100"}, {"GNU.sparse.map", "9223372036854775807,1"}}),
         "sparse map"},
        {"a sparse map of absurd length",
         TarWriter()
             .add({.name = "f",
                   .pax = {{"GNU.sparse.major", "1"},
                           {"GNU.sparse.minor", "0"},
                           {"GNU.sparse.realsize", "100"}}},
                  "99999999999\n")
             .end(),
         "sparse map"},
        {"a sparse file of absurd size",
         pax({{"GNU.sparse.size", "9223372036854775807"}, {"GNU.sparse.map", "0,0"}}),
         "--policy",
         Errc::limit_exceeded},
        {"a lone block of zeros",
         TarWriter().file("a").raw(std::string(512, '\0')).file("b").end(),
         "zeros"},
        {"garbage", std::string(2048, 'g'), "checksum"},
    };
}

TEST_P(LayerTest, RefusesEveryHostileTarAndLeavesNothing) {
    for (const Hostile& hostile : hostile_tars()) {
        if (hostile.what == "empty path") {
            continue;  // an empty PAX value means that there is none
        }
        SCOPED_TRACE(hostile.what);
        const auto result = unpack(hostile.tar);
        ASSERT_FALSE(result);
        const std::string text = result.error().message + " " + result.error().hint;
        EXPECT_EQ(result.error().code, hostile.code) << text;
        EXPECT_NE(text.find(hostile.says), std::string::npos) << text;
        EXPECT_TRUE(text.starts_with("layer sha256:")) << text;
        EXPECT_EQ(layers(), 0U);
    }
}

TEST_P(LayerTest, NothingOfAHostileTarReachesTheHost) {
    const std::string outside = path_ + "/outside";
    ASSERT_EQ(mkdir(outside.c_str(), 0755), 0);
    ASSERT_TRUE(
        unpack(TarWriter().symlink("out", outside).symlink("up", "../../../../../..").end()));
    // Links of a lower layer are followed inside the root only.
    ASSERT_TRUE(unpack(TarWriter().file("out/evil").file("up/tmp/evil").end()));
    EXPECT_NE(access((outside + "/evil").c_str(), F_OK), 0);
    EXPECT_NE(access("/tmp/evil", F_OK), 0);
    EXPECT_TRUE(exists(outside.substr(1) + "/evil"));
    EXPECT_TRUE(exists("tmp/evil"));
}

TEST_P(LayerTest, RefusesALoopOfLowerLinksWithoutHanging) {
    ASSERT_TRUE(unpack(TarWriter().symlink("a", "b").symlink("b", "a").symlink("c", "c/c").end()));
    for (const char* path : {"a/x", "b/x", "c/x"}) {
        const auto result = unpack(TarWriter().file(path).end());
        ASSERT_FALSE(result);
        EXPECT_NE(result.error().message.find("links"), std::string::npos)
            << result.error().message;
    }
    EXPECT_EQ(layers(), 1U);
}

TEST_P(LayerTest, RefusesAWhiteoutThroughALowerLink) {
    ASSERT_TRUE(unpack(TarWriter().dir("real").file("real/f").symlink("link", "real").end()));
    EXPECT_FALSE(unpack(TarWriter().file("link/.wh.f").end()));
    EXPECT_FALSE(unpack(TarWriter().file("link/.wh..wh..opq").end()));
}

TEST_P(LayerTest, RefusesAHardLinkThroughALowerLinkToTheOutside) {
    ASSERT_TRUE(unpack(TarWriter().symlink("etc2", "/etc").end()));
    EXPECT_FALSE(unpack(TarWriter().hard_link("h", "etc2/passwd").end()));
    EXPECT_FALSE(unpack(TarWriter().hard_link("h", "etc2").end()));
}

TEST_P(LayerTest, SaysWhatIsWrongAndNotWhatFollowsFromIt) {
    // More than fits between two processes, so that the one that is right has to wait.
    const std::string big(4'000'000, 'x');
    const std::string good = TarWriter().file("a", big).file("b", big).end();
    const std::string blob = deflate_by_zlib(good, 15 + 16, 0);
    const auto cut = unpack_blob(blob.substr(0, blob.size() / 2), store::sha256_of(good));
    ASSERT_FALSE(cut);
    EXPECT_NE(cut.error().message.find("the gzip data is cut off"), std::string::npos)
        << cut.error().message;
    const auto escaped = unpack(TarWriter().file("../out").file("a", big).file("b", big).end());
    ASSERT_FALSE(escaped);
    EXPECT_NE(escaped.error().message.find("entry \"../out\""), std::string::npos)
        << escaped.error().message;
    EXPECT_EQ(layers(), 0U);
}

#ifdef KNARR_FAULTS
TEST_P(LayerTest, SaysThatTheProcessThatDecompressesWasKilled) {
    if (GetParam() != Driver::dir) {
        GTEST_SKIP() << "with this driver it makes the files too";
    }
    ASSERT_EQ(setenv("KNARR_FAULT", "layer.inflate", 1), 0);
    const auto result = unpack(TarWriter().file("f").end());
    ASSERT_EQ(unsetenv("KNARR_FAULT"), 0);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::internal);
    EXPECT_NE(result.error().message.find("killed by SIGSYS"), std::string::npos)
        << result.error().message;
    EXPECT_EQ(layers(), 0U);
}
#endif

TEST_P(LayerTest, RefusesAnotherDiffId) {
    const auto result = unpack_blob(TarWriter().file("f").end(), store::sha256_of("other"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::digest_mismatch);
    EXPECT_EQ(layers(), 0U);
}

TEST_P(LayerTest, CoversBytesBehindTheEndByTheDiffId) {
    const std::string tar = TarWriter().file("f").end();
    EXPECT_FALSE(unpack_blob(tar + "hidden", store::sha256_of(tar)));
    EXPECT_TRUE(unpack(tar + "hidden"));
}

TEST_P(LayerTest, HoldsEachLimitAndRefusesOneMore) {
    limits_.max_layer_entries = 3;
    TarWriter tar;
    tar.file("a").file("b").file("c");
    EXPECT_TRUE(unpack(tar.end()));
    tar.file("d");
    EXPECT_EQ(unpack(tar.end()).error().code, Errc::limit_exceeded);

    limits_ = kDefaultLimits;
    const std::string bytes = TarWriter().file("big", std::string(10'000, 'x')).end();
    limits_.max_layer_bytes = bytes.size();
    EXPECT_TRUE(unpack(bytes));
    diff_ids_.clear();
    const std::string other = TarWriter().file("bit", std::string(10'000, 'x')).end();
    limits_.max_layer_bytes = other.size() - 1;
    EXPECT_EQ(unpack(other).error().code, Errc::limit_exceeded);

    limits_ = kDefaultLimits;
    // Of EROFS whole tars count, and the images.
    limits_.max_rootfs_bytes = GetParam() == Driver::dir ? 20'000 : 26'000;
    EXPECT_TRUE(unpack(TarWriter().file("one", std::string(10'000, '1')).end()));
    EXPECT_TRUE(unpack(TarWriter().file("two", std::string(5'000, '2')).end()));
    const auto result = unpack(TarWriter().file("three", std::string(5'001, '3')).end());
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().hint.find("--policy"), std::string::npos);
}

TEST_P(LayerTest, CountsDirectoriesThatTheTarDoesNotName) {
    limits_.max_layer_entries = 4;
    EXPECT_TRUE(unpack(TarWriter().file("a/b/c/f").end()));
    diff_ids_.clear();
    EXPECT_EQ(unpack(TarWriter().file("a/b/c/d/f").end()).error().code, Errc::limit_exceeded);
}

TEST_P(LayerTest, CountsWhatIsKeptBehindTheEndOfTheTar) {
    limits_.max_rootfs_bytes = 20'000;
    const auto unpacked = unpack(TarWriter().file("f").end() + std::string(20'000, '\1'));
    EXPECT_EQ(unpacked.has_value(), GetParam() == Driver::dir);
}

TEST_P(LayerTest, CountsWhatNamesAndAttributesTake) {
    if (GetParam() == Driver::dir) {
        return;  // the disk's file system has its own bounds
    }
    limits_.max_rootfs_bytes = 400'000;
    const auto layer = [&](int number) {
        return TarWriter()
            .add({.name = fmt::format("f{}", number),
                  .pax = {{"SCHILY.xattr.user.a", std::string(60'000, 'a')}}})
            .end();
    };
    ASSERT_TRUE(unpack(layer(0)));
    limits_.max_rootfs_bytes = 100'000;
    diff_ids_.clear();
    EXPECT_EQ(unpack(layer(1)).error().code, Errc::limit_exceeded) << "its own image counts";
    limits_.max_rootfs_bytes = 400'000;
    for (int i = 0; i < 3; ++i) {  // a tar of 62 KB each, and an image of 61 KB
        ASSERT_TRUE(unpack(layer(i))) << i;
    }
    const auto result = unpack(layer(3));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit_exceeded);
    EXPECT_NE(result.error().hint.find("--policy"), std::string::npos);
    EXPECT_EQ(layers(), 3U);
}

TEST_P(LayerTest, RefusesTheEntryAfterTheStrictLimit) {
    limits_ = kStrictLimits;
    TarWriter tar;
    for (std::uint64_t i = 0; i < kStrictLimits.max_layer_entries; ++i) {
        tar.add({.name = "same", .type = '5'});
    }
    EXPECT_EQ(unpack(tar.end()).value().entries, kStrictLimits.max_layer_entries);
    diff_ids_.clear();
    tar.dir("one-more");
    const auto result = unpack(tar.end());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit_exceeded);
    EXPECT_EQ(layers(), 1U);
}

}  // namespace
}  // namespace knarr::layer
