#include "erofs/image.h"

#include <random>

#include <gtest/gtest.h>

#include "erofs/check.h"
#include "erofs/testing_reader.h"

namespace knarr::erofs {
namespace {

using testing_reader::File;
using testing_reader::Reader;

constexpr std::uint64_t kDeviceBlocks = 1 << 20;

ReadAt reader_of(const std::string& image) {
    return [&](std::uint64_t at, std::span<char> into) {
        EXPECT_LE(at + into.size(), image.size());
        std::ranges::copy(std::string_view(image).substr(at, into.size()), into.begin());
        return Result<>{};
    };
}

Result<> check_bytes(const std::string& image, std::uint64_t device_blocks = kDeviceBlocks) {
    return check(image.size(), {device_blocks}, reader_of(image));
}

Result<Tree> decode_bytes(const std::string& image) {
    return decode(image.size(), {kDeviceBlocks}, reader_of(image));
}

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
        auto done = encode(tree, {kDeviceBlocks}, [&](std::string_view piece) -> Result<> {
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
        const std::string bytes = image().value();
        const Reader reader(bytes, kDeviceBlocks);
        EXPECT_EQ(reader.problem, "");
        const auto checked = check_bytes(bytes);
        EXPECT_TRUE(checked) << checked.error().message;
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

/// One of everything.
Builder full_tree() {
    Builder b;
    const auto dir = b.add(0, "dir", S_IFDIR | 0755);
    for (int i = 0; i < 40; ++i) {
        b.add(dir, fmt::format("name-{:030}", i), S_IFREG | 0644);
    }
    b.add(dir, "inner", S_IFDIR | 0755);
    Inode& file = b.at(b.add(0, "file", S_IFREG | 0644));
    file.size = 5000;
    file.first_block = 9;
    file.more().xattrs = {{"user.a", "value"}, {"trusted.overlay.opaque", "y"}};
    Inode& sparse = b.at(b.add(0, "sparse", S_IFREG | 0644));
    sparse.size = 3 * 4096 + 1;
    sparse.more().chunk_bits = 12;
    sparse.more().chunks = {kHole, 16, kHole, 24};
    b.at(b.add(0, "short", S_IFLNK | 0777)).more().target = "target";
    b.at(b.add(0, "long", S_IFLNK | 0777)).more().target = std::string(2000, 't');
    b.at(b.add(0, "dev", S_IFCHR | 0600)).device_major = 5;
    b.add(0, "fifo", S_IFIFO | 0600);
    return b;
}

TEST(ErofsCheck, LetsNothingThroughThatASoundImageDoesNotHave) {
    const std::string sound = full_tree().image().value();
    ASSERT_TRUE(check_bytes(sound));
    // Whatever it lets through of images with damage anywhere must be one that a reader who
    // believes nothing can read to its end.
    std::mt19937 dice(7);
    std::size_t refused = 0;
    constexpr int kRounds = 5'000;
    for (int round = 0; round < kRounds; ++round) {
        std::string image = sound;
        for (auto changes = 1 + dice() % 3; changes > 0; --changes) {
            image[dice() % image.size()] = static_cast<char>(dice() % 2 == 0 ? dice() : dice() % 4);
        }
        if (const auto checked = check_bytes(image)) {
            EXPECT_EQ(Reader(image, kDeviceBlocks).problem, "");
            const auto tree = decode_bytes(image);
            ASSERT_TRUE(tree);
            EXPECT_TRUE(
                encode(*tree, {kDeviceBlocks}, [](std::string_view) { return Result<>{}; }));
        } else {
            EXPECT_EQ(checked.error().code, Errc::corrupt);
            EXPECT_FALSE(decode_bytes(image));
            ++refused;
        }
    }
    EXPECT_GT(refused, std::size_t{kRounds} / 10);
}

TEST(ErofsCheck, DecodesTheTreeThatWasEncoded) {
    const std::string sound = full_tree().image().value();
    const auto tree = decode_bytes(sound);
    ASSERT_TRUE(tree) << tree.error().message;
    std::string again;
    ASSERT_TRUE(encode(*tree, {kDeviceBlocks}, [&](std::string_view piece) -> Result<> {
        again += piece;
        return {};
    }));
    EXPECT_EQ(again, sound);
}

TEST(ErofsCheck, RefusesFeaturesSizesAndDevicesThatAreNotItsOwn) {
    const std::string sound = full_tree().image().value();
    EXPECT_FALSE(check_bytes(sound.substr(0, sound.size() - kBlockBytes)));
    EXPECT_FALSE(check_bytes(sound + std::string(kBlockBytes, '\0')));
    EXPECT_FALSE(check_bytes(sound.substr(0, 100)));
    EXPECT_FALSE(check_bytes(""));
    EXPECT_FALSE(check_bytes(sound, kDeviceBlocks - 1));
    for (std::size_t at = 0; at < first_inode(1); ++at) {
        std::string image = sound;
        image[at] = static_cast<char>(image[at] ^ 0x10);
        EXPECT_FALSE(check_bytes(image)) << at;
    }
}

TEST(ErofsCheck, RefusesRingsOfDirectories) {
    // "inner" leads back to the root: its inode's number in the entry is the root's.
    std::string image = full_tree().image().value();
    const std::size_t at = image.find("inner");
    ASSERT_NE(at, std::string::npos);
    const std::size_t block = at / kBlockBytes * kBlockBytes;
    const auto count = static_cast<unsigned char>(image[block + 8]) / kDirentBytes;
    bool changed = false;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t entry = block + i * kDirentBytes;
        if (block + static_cast<unsigned char>(image[entry + 8]) +
                256U * static_cast<unsigned char>(image[entry + 9]) ==
            at) {
            image[entry] = static_cast<char>(first_inode(1) / kInodeUnit);
            changed = true;
        }
    }
    ASSERT_TRUE(changed);
    EXPECT_FALSE(check_bytes(image));
}

}  // namespace
}  // namespace knarr::erofs
