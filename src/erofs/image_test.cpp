#include "erofs/image.h"

#include <gtest/gtest.h>

#include "erofs/testing_reader.h"

namespace knarr::erofs {
namespace {

using testing_reader::File;
using testing_reader::Reader;

constexpr std::uint64_t kDeviceBlocks = 1 << 20;

/// A tree in the making.
struct Builder {
    Tree tree;
    Builder() { tree.inodes.emplace_back().mode = S_IFDIR | 0755; }
    std::uint32_t add(std::uint32_t dir, const std::string& name, unsigned mode) {
        const auto number = static_cast<std::uint32_t>(tree.inodes.size());
        tree.inodes.emplace_back().mode = static_cast<std::uint16_t>(mode);
        tree.inodes[dir].more().entries.emplace(name, number);
        return number;
    }
    Inode& at(std::uint32_t number) { return tree.inodes[number]; }
    Result<std::string> image() const {
        std::string out;
        auto done = encode(tree, kDeviceBlocks, [&](std::string_view piece) -> Result<> {
            out += piece;
            return {};
        });
        if (!done) {
            return fail(std::move(done).error());
        }
        EXPECT_EQ(*done, out.size());
        return out;
    }
    std::map<std::string, File> read() const {
        const Reader reader(image().value(), kDeviceBlocks);
        EXPECT_EQ(reader.problem, "");
        return reader.files;
    }
};

TEST(ErofsImage, KeepsAllThatAnInodeSays) {
    Builder b;
    const auto file = b.add(0, "file", S_IFREG | 06755);
    Inode& inode = b.at(file);
    inode.uid = 4'000'000'000U;
    inode.gid = 70'000;
    inode.mtime_s = -5;
    inode.mtime_ns = 999'999'999;
    inode.size = 1000;
    inode.first_block = 77;
    inode.more().xattrs = {{"user.a", "value"},
                           {"security.capability", std::string("\1\0\2", 3)},
                           {"trusted.overlay.opaque", "y"},
                           {"system.posix_acl_access", "acl"}};
    b.at(b.add(0, "dev", S_IFBLK | 0600)).device_major = 259;
    b.at(2).device_minor = 100'000;
    const auto files = b.read();
    const File& got = files.at("file");
    EXPECT_EQ(got.mode, S_IFREG | 06755);
    EXPECT_EQ(got.uid, 4'000'000'000U);
    EXPECT_EQ(got.gid, 70'000U);
    EXPECT_EQ(got.mtime_s, -5);
    EXPECT_EQ(got.mtime_ns, 999'999'999U);
    EXPECT_EQ(got.size, 1000U);
    EXPECT_EQ(got.blocks, std::vector<std::uint32_t>{77});
    EXPECT_EQ(got.xattrs, b.at(file).extra->xattrs);
    // Source: new_encode_dev() of the kernel.
    EXPECT_EQ(files.at("dev").device, (100'000U & 0xFFU) | 259U << 8U | (100'000U & ~0xFFU) << 12U);
}

TEST(ErofsImage, SortsNamesOverManyBlocksWithTheDotsAmongThem) {
    Builder b;
    const auto dir = b.add(0, "dir", S_IFDIR | 0700);
    for (int i = 0; i < 5000; ++i) {
        b.add(dir, fmt::format("{}{}", i % 2 == 0 ? '!' : '\xff', i), S_IFREG | 0644);
    }
    b.add(dir, std::string(255, 'n'), S_IFREG | 0644);
    const auto files = b.read();  // which checks the order
    EXPECT_EQ(files.size(), 5003U);
    EXPECT_TRUE(files.contains("dir/" + std::string(255, 'n')));
}

TEST(ErofsImage, HasLinkTargetsOfEveryLength) {
    Builder b;
    for (std::size_t length = 1; length < 4096; length += length < 600 ? 1 : 500) {
        b.at(b.add(0, "l" + std::to_string(length), S_IFLNK | 0777)).more().target =
            std::string(length, 't');
    }
    for (const auto& [path, file] : b.read()) {
        if (!path.empty()) {
            EXPECT_EQ(file.target.size(), std::stoul(path.substr(1)));
        }
    }
}

TEST(ErofsImage, LeavesOutWhatHasNoNameAndCountsHardLinks) {
    Builder b;
    const auto file = b.add(0, "a", S_IFREG | 0644);
    const auto dir = b.add(0, "d", S_IFDIR | 0755);
    b.at(dir).more().entries.emplace("b", file);
    b.tree.inodes.emplace_back().mode = S_IFREG | 0600;  // nameless
    const auto files = b.read();
    EXPECT_EQ(files.size(), 4U);
    EXPECT_EQ(files.at("a").inode, files.at("d/b").inode);
    EXPECT_EQ(files.at("a").links, 2U);
}

TEST(ErofsImage, CoversLargeFilesWithOneChunkAndSparseOnesWithMany) {
    Builder b;
    Inode& large = b.at(b.add(0, "large", S_IFREG | 0644));
    large.size = (kDeviceBlocks - 8) * kBlockBytes - 3;
    large.first_block = 8;
    Inode& sparse = b.at(b.add(0, "sparse", S_IFREG | 0644));
    sparse.size = 3 * 4096 + 1;
    sparse.more().chunk_bits = 12;
    sparse.more().chunks = {kHole, 16, kHole, 24};
    Inode& hole = b.at(b.add(0, "hole", S_IFREG | 0644));
    hole.size = 1ULL << 39U;
    const auto files = b.read();
    EXPECT_EQ(files.at("large").blocks, std::vector<std::uint32_t>{8});
    EXPECT_EQ(files.at("sparse").blocks, (std::vector<std::uint32_t>{kHole, 16, kHole, 24}));
    EXPECT_EQ(files.at("hole").blocks, std::vector<std::uint32_t>{kHole});
}

TEST(ErofsImage, RefusesWhatTheFormatCannotHold) {
    const auto code = [](const std::function<void(Builder&, Inode&)>& spoil) {
        Builder b;
        const auto file = b.add(0, "f", S_IFREG | 0644);
        spoil(b, b.at(file));
        const auto image = b.image();
        return image ? std::optional<Errc>() : image.error().code;
    };
    EXPECT_EQ(code([](Builder&, Inode&) {}), std::nullopt);
    EXPECT_EQ(code([](Builder&, Inode& f) {
                  f.more().xattrs = {{"user.a", std::string(kMaxXattrValue, 'x')}};
              }),
              Errc::limit_exceeded);
    EXPECT_EQ(code([](Builder&, Inode& f) {
                  for (int i = 0; i < 5; ++i) {
                      f.more().xattrs.emplace_back(fmt::format("user.{}", i),
                                                   std::string(60'000, 'x'));
                  }
              }),
              Errc::limit_exceeded);
    EXPECT_EQ(code([](Builder&, Inode& f) { f.more().xattrs = {{"other.a", "x"}}; }),
              Errc::internal);
    EXPECT_EQ(code([](Builder&, Inode& f) {
                  f.size = 1024;
                  f.first_block = kDeviceBlocks - 1;
              }),
              Errc::internal);
    EXPECT_EQ(code([](Builder& b, Inode&) { b.tree.inodes[0].more().entries["loop"] = 0; }),
              Errc::internal);
}

TEST(ErofsImage, IsTheSameEachTime) {
    Builder b;
    b.add(0, "x", S_IFREG | 0644);
    EXPECT_EQ(b.image().value(), b.image().value());
}

}  // namespace
}  // namespace knarr::erofs
