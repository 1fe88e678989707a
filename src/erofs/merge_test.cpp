#include "erofs/merge.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "erofs/check.h"
#include "erofs/testing_reader.h"

namespace knarr::erofs {
namespace {

using testing_reader::File;
using testing_reader::Reader;

constexpr std::uint64_t kBlocks = 100;

/// One layer in the making: paths whose directories are made on the way.
class Layer {
public:
    Layer() { tree.inodes.emplace_back().mode = S_IFDIR | 0755; }

    Inode& add(const std::string& path, unsigned mode) {
        const auto number = static_cast<std::uint32_t>(tree.inodes.size());
        tree.inodes.emplace_back().mode = static_cast<std::uint16_t>(mode);
        name(path, number);
        return tree.inodes.back();
    }
    Layer& dir(const std::string& path, unsigned mode = 0755) {
        add(path, S_IFDIR | mode);
        return *this;
    }
    /// `block` tells it from others.
    Layer& file(const std::string& path, std::uint32_t block = 1) {
        Inode& inode = add(path, S_IFREG | 0644);
        inode.size = 5;
        inode.first_block = block;
        return *this;
    }
    Layer& link(const std::string& path, const std::string& to) {
        name(path, find(to));
        return *this;
    }
    Layer& whiteout(const std::string& path) {
        add(path, S_IFCHR);
        return *this;
    }
    Layer& opaque(const std::string& path) {
        tree.inodes[find(path)].more().xattrs.emplace_back("trusted.overlay.opaque", "y");
        return *this;
    }
    Inode& at(const std::string& path) { return tree.inodes[find(path)]; }

    Tree tree;

private:
    std::uint32_t find(const std::string& path) {
        std::uint32_t at = 0;
        for (std::size_t begin = 0; begin < path.size();) {
            const std::size_t end = std::min(path.find('/', begin), path.size());
            at = tree.inodes[at].extra->entries.at(path.substr(begin, end - begin));
            begin = end + 1;
        }
        return at;
    }
    void name(const std::string& path, std::uint32_t number) {
        const std::size_t slash = path.rfind('/');
        const std::uint32_t dir = slash == std::string::npos ? 0 : find(path.substr(0, slash));
        const std::string last = slash == std::string::npos ? path : path.substr(slash + 1);
        EXPECT_TRUE(tree.inodes[dir].more().entries.emplace(last, number).second);
    }
};

template <typename... Layers>
std::string image_of(Layers&&... layers) {
    std::vector<Tree> trees;
    (trees.push_back(std::move(layers.tree)), ...);
    Tree all;
    Devices devices;
    for (Tree& tree : trees) {
        put_over(all, std::move(tree), static_cast<std::uint16_t>(devices.size()));
        devices.push_back(kBlocks + devices.size());
    }
    drop_marks(all);
    std::string image;
    const auto done = encode(all, devices, [&](std::string_view piece) -> Result<> {
        image += piece;
        return {};
    });
    EXPECT_TRUE(done) << done.error().message;
    const auto read = [&](std::uint64_t at, std::span<char> into) -> Result<> {
        std::ranges::copy(std::string_view(image).substr(at, into.size()), into.begin());
        return {};
    };
    const auto checked = check(image.size(), devices, read);
    EXPECT_TRUE(checked) << checked.error().message;
    return image;
}

template <typename... Layers>
std::map<std::string, File> merged(Layers&&... layers) {
    Devices devices;
    while (devices.size() < sizeof...(layers)) {
        devices.push_back(kBlocks + devices.size());
    }
    const std::string image = image_of(layers...);
    const Reader reader(image, devices);
    EXPECT_EQ(reader.problem, "");
    return reader.files;
}

std::vector<std::string> names(const std::map<std::string, File>& files) {
    std::vector<std::string> all;
    for (const auto& [path, file] : files) {
        all.push_back(path);
    }
    return all;
}

using Names = std::vector<std::string>;

TEST(ErofsMerge, FilesKeepTheDeviceOfTheirLayer) {
    const auto files = merged(Layer().file("a", 3).file("b", 4), Layer().file("b", 5).file("c", 6));
    EXPECT_EQ(names(files), (Names{"", "a", "b", "c"}));
    EXPECT_EQ(files.at("a").devices, std::vector<std::uint64_t>{0});
    EXPECT_EQ(files.at("b").devices, std::vector<std::uint64_t>{1});
    EXPECT_EQ(files.at("b").blocks, std::vector<std::uint32_t>{5});
    EXPECT_EQ(files.at("c").devices, std::vector<std::uint64_t>{1});
}

TEST(ErofsMerge, AWhiteoutHidesWhatIsBelowAndIsNotSeenItself) {
    const auto files =
        merged(Layer().file("f").dir("d").file("d/x").file("stays").whiteout("lowest"),
               Layer().whiteout("f").whiteout("d").whiteout("nothing"));
    EXPECT_EQ(names(files), (Names{"", "stays"}));
}

TEST(ErofsMerge, WhatComesBackAboveAWhiteoutHasNothingOfTheOld) {
    const auto files = merged(
        Layer().dir("d").file("d/old"), Layer().whiteout("d"), Layer().dir("d").file("d/new"));
    EXPECT_EQ(names(files), (Names{"", "d", "d/new"}));
}

TEST(ErofsMerge, DirectoriesOfBothAreOneWithTheUpperAttributes) {
    Layer below, above;
    below.dir("d", 0700).file("d/a").dir("d/s").file("d/s/x");
    below.at("d").more().xattrs = {{"user.below", "1"}};
    above.dir("d", 0755).file("d/b").dir("d/s").file("d/s/y");
    Inode& dir = above.at("d");
    dir.uid = 5;
    dir.mtime_s = 7;
    dir.mtime_ns = 123'456'789;
    dir.more().xattrs = {{"user.above", "2"}};
    above.at("").gid = 9;
    const auto files = merged(below, above);
    EXPECT_EQ(names(files), (Names{"", "d", "d/a", "d/b", "d/s", "d/s/x", "d/s/y"}));
    EXPECT_EQ(files.at("d").mode, S_IFDIR | 0755);
    EXPECT_EQ(files.at("d").uid, 5U);
    EXPECT_EQ(files.at("d").mtime_ns, 123'456'789U);
    ASSERT_EQ(files.at("d").xattrs.size(), 1U);
    EXPECT_EQ(files.at("d").xattrs[0].first, "user.above");
    EXPECT_EQ(files.at("").gid, 9U);
    EXPECT_EQ(files.at("d").links, 3U);
}

TEST(ErofsMerge, AnOpaqueDirectoryHidesAllBelowAndIsMarkedNoMore) {
    Layer above;
    above.dir("d").opaque("d").file("d/new").whiteout("d/whatever");
    const auto files = merged(Layer().dir("d").file("d/old").dir("e"), above);
    EXPECT_EQ(names(files), (Names{"", "d", "d/new", "e"}));
    EXPECT_TRUE(files.at("d").xattrs.empty());
}

TEST(ErofsMerge, AnOpaqueRootEndsTheStack) {
    Layer above;
    above.file("only").opaque("");
    const auto files = merged(Layer().file("gone"), above, Layer().file("last").whiteout("x"));
    EXPECT_EQ(names(files), (Names{"", "last", "only"}));
    EXPECT_EQ(files.at("only").devices, std::vector<std::uint64_t>{1});
    EXPECT_TRUE(files.at("").xattrs.empty());
}

TEST(ErofsMerge, AFileHidesADirectoryAndTheOtherWay) {
    const auto files = merged(Layer().dir("d").file("d/x").file("f").dir("t").file("t/x"),
                              Layer().file("d").dir("f").file("f/y").file("t"),
                              Layer().dir("t").file("t/z"));
    EXPECT_EQ(names(files), (Names{"", "d", "f", "f/y", "t", "t/z"}));
    EXPECT_TRUE(S_ISREG(files.at("d").mode));
    EXPECT_TRUE(S_ISDIR(files.at("f").mode));
}

TEST(ErofsMerge, AHardLinkWithACoveredNameHasOneLess) {
    const auto files = merged(Layer().file("a", 3).link("b", "a").dir("d").link("d/c", "a"),
                              Layer().file("b", 4).file("x", 5).link("y", "x"),
                              Layer().whiteout("y"));
    EXPECT_EQ(files.at("a").inode, files.at("d/c").inode);
    EXPECT_NE(files.at("a").inode, files.at("b").inode);
    EXPECT_EQ(files.at("a").links, 2U);
    EXPECT_EQ(files.at("b").links, 1U);
    EXPECT_EQ(files.at("x").links, 1U);
}

TEST(ErofsMerge, EveryKindOfFileComesThrough) {
    Layer above;
    above.add("link", S_IFLNK | 0777).more().target = "to";
    above.add("fifo", S_IFIFO | 0600);
    Inode& device = above.add("device", S_IFBLK | 0660);
    device.device_major = 259;
    device.device_minor = 100'000;
    Inode& sparse = above.add("sparse", S_IFREG | 06755);
    sparse.size = 2 * 4096 + 1;
    sparse.more().chunk_bits = 12;
    sparse.more().chunks = {kHole, 16, kHole};
    sparse.more().xattrs = {{"security.capability", "cap"}};
    const auto files = merged(Layer().file("device").dir("fifo"), above);
    EXPECT_EQ(files.at("link").target, "to");
    EXPECT_EQ(files.at("device").device,
              (100'000U & 0xFFU) | 259U << 8U | (100'000U & ~0xFFU) << 12U);
    EXPECT_EQ(files.at("sparse").blocks, (std::vector<std::uint32_t>{kHole, 16, kHole}));
    EXPECT_EQ(files.at("sparse").devices, (std::vector<std::uint64_t>{0, 1, 0}));
    EXPECT_EQ(files.at("sparse").xattrs.size(), 1U);
}

TEST(ErofsMerge, IsTheSameEachTime) {
    const auto once = [] {
        return image_of(Layer().dir("d").file("d/a").file("b"), Layer().dir("d").file("d/c"));
    };
    EXPECT_EQ(once(), once());
}

TEST(ErofsMerge, ManyLayersHaveATableOfManyDevices) {
    Tree all;
    Devices devices;
    for (std::uint16_t i = 0; i < 128; ++i) {
        Layer layer;
        layer.file(fmt::format("file-{}", i), i);
        put_over(all, std::move(layer.tree), i);
        devices.push_back(kBlocks + i);
    }
    std::string image;
    ASSERT_TRUE(encode(all, devices, [&](std::string_view piece) -> Result<> {
        image += piece;
        return {};
    }));
    const Reader reader(image, devices);
    EXPECT_EQ(reader.problem, "");
    EXPECT_EQ(reader.files.at("file-127").devices, std::vector<std::uint64_t>{127});
}

TEST(ErofsMerge, DecodeGivesBackWhatEncodeWrote) {
    const std::string image = image_of(Layer().dir("d").file("d/a", 7), Layer().file("b", 9));
    const Devices devices{kBlocks, kBlocks + 1};
    const auto read = [&](std::uint64_t at, std::span<char> into) -> Result<> {
        std::ranges::copy(std::string_view(image).substr(at, into.size()), into.begin());
        return {};
    };
    const auto tree = decode(image.size(), devices, read);
    ASSERT_TRUE(tree) << tree.error().message;
    std::string again;
    ASSERT_TRUE(encode(*tree, devices, [&](std::string_view piece) -> Result<> {
        again += piece;
        return {};
    }));
    EXPECT_EQ(again, image);
}

}  // namespace
}  // namespace knarr::erofs
