#include "layer/merged.h"

#include <optional>
#include <random>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "layer/testing_tar.h"
#include "layer/testing_walk.h"
#include "platform/pidfd.h"
#include "platform/process.h"

namespace knarr::layer {
namespace {

using testing_tar::Header;
using testing_tar::LayerTest;
using testing_tar::TarWriter;

class MergedLayers : public LayerTest {
protected:
    std::vector<spec::Digest> chain() const { return store::chain_ids(diff_ids_); }
    std::string merged_file() const {
        return fmt::format("{}/{}", store().layer_path(chain().back()), kMergedFile);
    }
    bool is_made() const { return access(merged_file().c_str(), F_OK) == 0; }
    void two_layers() {
        ASSERT_TRUE(unpack(TarWriter().file("a").dir("d").file("d/old").end()));
        ASSERT_TRUE(unpack(TarWriter().file("b").file(".wh.a").file("d/new").end()));
    }
    /// Overwrites a byte of one of the highest layer's files.
    void damage(const char* name, std::uint64_t at) const {
        const sys::Fd file =
            sys::open_path(fmt::format("{}/{}", store().layer_path(chain().back()), name), O_RDWR)
                .value();
        ASSERT_TRUE(sys::write_all_at(file, "\x7e", at));
    }
};

TEST(AreMergeable, SeveralErofsLayersThatFitIntoMemory) {
    const LayerInfo one{.entries = 1000, .driver = Driver::erofs};
    const LayerInfo files{.entries = 1000, .driver = Driver::dir};
    const LayerInfo huge{.entries = 10'000'000, .driver = Driver::erofs};
    EXPECT_TRUE(are_mergeable({one, one}, 1 << 20));
    EXPECT_FALSE(are_mergeable({one}, 1 << 20));
    EXPECT_FALSE(are_mergeable({}, 0));
    EXPECT_FALSE(are_mergeable({files, one}, 1 << 20));
    EXPECT_FALSE(are_mergeable({one, huge}, 1 << 20));
    EXPECT_TRUE(are_mergeable({one, one}, 32 << 20));
    EXPECT_FALSE(are_mergeable({one, one}, (32 << 20) + 1));
}

TEST_P(MergedLayers, ShowAsOneMountThatGoesWithItsLastUser) {
    two_layers();
    std::string path;
    {
        const auto one = MountedLayers::mount(store(), chain()).value();
        const auto two = MountedLayers::mount(store(), chain()).value();
        ASSERT_EQ(one.lowers().size(), 1U);
        EXPECT_EQ(one.lowers(), two.lowers());
        EXPECT_EQ(lower_paths(store(), chain()).value(), one.lowers());
        path = one.lowers().front();
        EXPECT_EQ(sys::list_dir(sys::open_path(path, O_RDONLY | O_DIRECTORY).value()).value(),
                  (std::vector<std::string>{"b", "d"}));
        EXPECT_EQ(
            sys::list_dir(sys::open_path(path + "/d", O_RDONLY | O_DIRECTORY).value()).value(),
            (std::vector<std::string>{"new", "old"}));
        EXPECT_TRUE(are_mounted(store().root(), chain()).value());
    }
    EXPECT_FALSE(are_mounted(store().root(), chain()).value());
    EXPECT_TRUE(is_made());
    EXPECT_GT(merged_bytes(store(), chain().back()).value(), 0U);
    EXPECT_EQ(store().collect({}).value().layers, 2U);
    EXPECT_EQ(layers(), 0U);
}

TEST_P(MergedLayers, OneLayerStaysAsItIs) {
    ASSERT_TRUE(unpack(TarWriter().file("a").end()));
    const auto mounted = MountedLayers::mount(store(), chain()).value();
    EXPECT_TRUE(mounted.lowers().front().ends_with("/fs"));
    EXPECT_FALSE(is_made());
}

TEST_P(MergedLayers, ManyProcessesMakeItOnce) {
    two_layers();
    std::vector<sys::Clone> children;
    for (int i = 0; i < 8; ++i) {
        children.push_back(sys::clone_process(0).value());
        if (children.back().in_child()) {
            const auto mounted = MountedLayers::mount(store(), chain());
            _exit(mounted && mounted->lowers().size() == 1 ? 0 : 1);
        }
    }
    for (const auto& child : children) {
        EXPECT_EQ(sys::reap(child.pidfd).value().code(), 0);
    }
    EXPECT_TRUE(unmount_unused(store(), chain()));
    EXPECT_FALSE(are_mounted(store().root(), chain()).value());
}

TEST_P(MergedLayers, ADamagedOneIsFoundAndMadeAgain) {
    two_layers();
    EXPECT_TRUE(is_merged_sound(store(), chain()).value()) << "none is there";
    ASSERT_TRUE(make_merged(store(), chain()));
    EXPECT_TRUE(is_merged_sound(store(), chain()).value());
    const std::string sound = sys::read_file(merged_file(), 1 << 20).value();
    for (std::size_t at = 0; at < sound.size(); at += 61) {
        damage(kMergedFile, at);
        const bool changed = sound[at] != '\x7e';
        EXPECT_EQ(is_merged_sound(store(), chain()).value(), !changed) << at;
        ASSERT_TRUE(drop_merged(store(), chain().back()));
        ASSERT_TRUE(make_merged(store(), chain()));
        ASSERT_EQ(sys::read_file(merged_file(), 1 << 20).value(), sound);
    }
    ASSERT_EQ(truncate(merged_file().c_str(), 512), 0);
    EXPECT_FALSE(is_merged_sound(store(), chain()).value());
}

TEST_P(MergedLayers, WhoUsesOneThatWasDroppedLeavesTheNewOneAlone) {
    two_layers();
    std::optional<MountedLayers> old = MountedLayers::mount(store(), chain()).value();
    ASSERT_TRUE(drop_merged(store(), chain().back()));
    EXPECT_FALSE(are_mounted(store().root(), chain()).value());
    const auto next = MountedLayers::mount(store(), chain()).value();
    ASSERT_EQ(next.lowers().size(), 1U);
    old.reset();
    EXPECT_TRUE(are_mounted(store().root(), chain()).value());
}

TEST_P(MergedLayers, OneThatTheKernelRefusesIsThrownAway) {
    two_layers();
    ASSERT_TRUE(make_merged(store(), chain()));
    damage(kMergedFile, 1024 + 36);  // the superblock's checksum is wrong
    EXPECT_EQ(MountedLayers::mount(store(), chain()).value().lowers().size(), 2U);
    EXPECT_FALSE(is_made());
    EXPECT_EQ(MountedLayers::mount(store(), chain()).value().lowers().size(), 1U);
}

TEST_P(MergedLayers, ADamagedLayerIsAnErrorThatNamesIt) {
    two_layers();
    damage(kImageFile, 1024 + 80);  // a feature that is none of ours
    const auto made = make_merged(store(), chain());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::corrupt);
    EXPECT_NE(made.error().message.find(chain().back().text()), std::string::npos);
    EXPECT_FALSE(is_made());
}

/// Entries, each so many directories down that the tar does not name.
std::string deep_tar(int entries, int levels) {
    TarWriter tar;
    for (int i = 0; i < entries; ++i) {
        std::string path = fmt::format("{}/", i);
        for (int level = 1; level < levels; ++level) {
            path += "d/";
        }
        tar.file(path + "f", "");
    }
    return tar.end();
}

TEST_P(MergedLayers, DirectoriesThatNoEntryNamesAreCountedAndAttributesTakeRoom) {
    ASSERT_EQ(unpack(deep_tar(1, 3)).value().entries, 4U);
    diff_ids_.clear();
    TarWriter tar;
    for (int i = 0; i < 300; ++i) {
        tar.add({.name = fmt::format("f{}", i),
                 .pax = {{"SCHILY.xattr.user.a", std::string(60'000, 'a')}}},
                "");
    }
    ASSERT_TRUE(unpack(tar.end()));
    ASSERT_TRUE(unpack(tar.file("other").end()));
    EXPECT_GT(image_bytes_of(store(), chain()).value(), 32U << 20);
    EXPECT_EQ(MountedLayers::mount(store(), chain()).value().lowers().size(), 2U);
    EXPECT_FALSE(is_made());
}

TEST_P(MergedLayers, ManyMoreFilesThanTheirMetaSaysAreNotMerged) {
    ASSERT_TRUE(unpack(deep_tar(13'200, 9)));
    ASSERT_TRUE(unpack(deep_tar(13'201, 9)));
    const auto made = make_merged(store(), chain());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::limit_exceeded);
    EXPECT_FALSE(is_made());
}

/// Stacks of whatever layers, of few names so that they get into each other's way.
class Dice {
public:
    explicit Dice(unsigned seed) : dice_(seed) {}

    std::string layer() {
        TarWriter tar;
        own_.clear();
        for (std::size_t left = 3 + below(12); left > 0; --left) {
            add(tar);
        }
        return tar.end();
    }
    std::size_t below(std::size_t end) { return dice_() % end; }

private:
    std::string path() {
        std::string out;
        for (std::size_t depth = 1 + below(3); depth > 0; --depth) {
            out += (out.empty() ? "" : "/") + std::string(1, static_cast<char>('a' + below(4)));
        }
        return out;
    }
    void add(TarWriter& tar) {
        const std::string at = path();
        const std::size_t slash = at.rfind('/');
        const std::string dir = slash == std::string::npos ? "" : at.substr(0, slash + 1);
        const std::string last = slash == std::string::npos ? at : at.substr(slash + 1);
        Header header{.name = at,
                      .mode = static_cast<unsigned>(below(01000)),
                      .uid = below(5),
                      .gid = below(5),
                      .mtime = 1'000'000 + below(1000)};
        if (below(3) == 0) {
            header.pax["mtime"] = fmt::format("{}.{:09}", header.mtime, below(1'000'000'000));
        }
        if (below(4) == 0) {
            header.pax["SCHILY.xattr.user.note"] = std::to_string(below(1000));
        }
        switch (below(10)) {
            case 0:
            case 1:
            case 2:
                header.type = '5';
                tar.add(header);
                break;
            case 3:
                header.pax.erase("SCHILY.xattr.user.note");
                header.type = '2';
                header.link = path();
                tar.add(header);
                break;
            case 4:
                tar.file(dir + ".wh." + last, "");
                break;
            case 5:
                tar.file(dir + ".wh..wh..opq", "");
                break;
            case 6:
                if (!own_.empty()) {
                    tar.hard_link(at, own_[below(own_.size())]);
                }
                break;
            case 7:
                header.pax.erase("SCHILY.xattr.user.note");
                header.type = below(2) == 0 ? '3' : '6';
                header.major = 1;
                header.minor = static_cast<unsigned>(below(300));
                tar.add(header);
                break;
            default:
                tar.add(header, std::string(below(3000), static_cast<char>('a' + below(26))));
                own_.push_back(at);
        }
    }
    std::mt19937 dice_;
    std::vector<std::string> own_;
};

TEST_P(MergedLayers, ShowWhatAnOverlayOfTheirMountsShows) {
    ASSERT_EQ(mkdir((path_ + "/overlay").c_str(), 0755), 0);
    std::size_t compared = 0;
    for (unsigned seed = 1; seed <= 80; ++seed) {
        SCOPED_TRACE(seed);
        Dice dice(seed);
        diff_ids_.clear();
        for (std::size_t left = 2 + dice.below(5); left > 0; --left) {
            (void)unpack(dice.layer());  // what cannot be is refused, and left out
        }
        if (diff_ids_.size() < 2) {
            continue;
        }
        const auto merged = MountedLayers::mount(store(), chain()).value();
        ASSERT_EQ(merged.lowers().size(), 1U);
        const auto each = MountedLayers::mount(store(), chain(), Stacking::each).value();
        if (each.lowers().size() < 2) {
            continue;  // an opaque root alone
        }
        auto child = sys::clone_process(CLONE_NEWNS).value();
        if (child.in_child()) {
            const std::string options = fmt::format("lowerdir={}", fmt::join(each.lowers(), ":"));
            const std::string at = path_ + "/overlay";
            int status = mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
            status |= mount("overlay", at.c_str(), "overlay", MS_RDONLY, options.c_str());
            if (status == 0) {
                testing_walk::expect_equal(at, merged.lowers().front(), Driver::erofs);
            }
            _exit(status != 0 ? 2 : HasFailure() ? 1 : 0);
        }
        EXPECT_EQ(sys::reap(child.pidfd).value().code(), 0);
        ++compared;
    }
    EXPECT_GT(compared, 20U);
}

INSTANTIATE_TEST_SUITE_P(MergedLayers,
                         MergedLayers,
                         testing::Values(Driver::erofs),
                         testing_tar::driver_name);

}  // namespace
}  // namespace knarr::layer
