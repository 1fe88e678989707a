#include "image/docker_archive.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/core.h"
#include "platform/disk.h"
#include "store/sha256.h"

namespace knarr::image {
namespace {

/// An archive in memory.
class MemoryTree final : public FileTree {
public:
    MemoryTree() : file_(memfd_create("archive", MFD_CLOEXEC)) {}
    void add(const std::string& name, const std::string& text) {
        slices_[name] = {size_, text.size()};
        EXPECT_TRUE(sys::write_all_at(file_, text, size_));
        size_ += text.size();
    }
    Result<FileSlice> open(const std::string& name) const override {
        const auto at = slices_.find(name);
        if (at == slices_.end()) {
            return fail(Errc::invalid_image, "no {}", name);
        }
        return FileSlice{.file = KNARR_TRY(sys::duplicate(file_)),
                         .offset = at->second.first,
                         .size = at->second.second};
    }

private:
    sys::Fd file_;
    std::uint64_t size_ = 0;
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> slices_;
};

TEST(SliceDigests, ReadAPieceOnceHoweverOftenTheyAreAsked) {
    MemoryTree tree;
    tree.add("a", "first");
    tree.add("b", "second");
    SliceDigests digests;
    const FileSlice a = tree.open("a").value();
    EXPECT_EQ(digests.of(a).value(), store::sha256_of("first"));
    EXPECT_EQ(digests.of(tree.open("b").value()).value(), store::sha256_of("second"));
    // What is read again would be seen to differ.
    ASSERT_TRUE(sys::write_all_at(a.file, "other", a.offset));
    EXPECT_EQ(digests.of(tree.open("a").value()).value(), store::sha256_of("first"));
    SliceDigests fresh;
    EXPECT_EQ(fresh.of(tree.open("a").value()).value(), store::sha256_of("other"));
}

std::string manifest_of(std::size_t images) {
    std::string text = "[";
    for (std::size_t i = 0; i < images; ++i) {
        text += fmt::format(
            R"({}{{"Config":"c","RepoTags":["x:{}"],"Layers":[]}})", i > 0 ? "," : "", i);
    }
    return text + "]";
}

TEST(ListDockerArchive, BoundsTheNumberOfImages) {
    MemoryTree most;
    most.add("manifest.json", manifest_of(kMaxArchiveImages));
    EXPECT_EQ(list_docker_archive(most).value().size(), kMaxArchiveImages);
    MemoryTree more;
    more.add("manifest.json", manifest_of(kMaxArchiveImages + 1));
    const auto refused = list_docker_archive(more);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_NE(refused.error().message.find("1000 images"), std::string::npos);
}

/// Two images, which have so many names together.
std::string manifest_of_names(std::size_t names) {
    std::string text = R"([{"Config":"c","RepoTags":["x:first"],"Layers":[]},)"
                       R"({"Config":"d","Layers":[],"RepoTags":[)";
    for (std::size_t i = 1; i < names; ++i) {
        text += fmt::format(R"({}"x:{}")", i > 1 ? "," : "", i);
    }
    return text + "]}]";
}

TEST(ListDockerArchive, BoundsTheNumberOfNames) {
    MemoryTree most;
    most.add("manifest.json", manifest_of_names(kMaxArchiveNames));
    const auto listed = list_docker_archive(most).value();
    EXPECT_EQ(listed[0].names.size() + listed[1].names.size(), kMaxArchiveNames);
    MemoryTree more;
    more.add("manifest.json", manifest_of_names(kMaxArchiveNames + 1));
    const auto refused = list_docker_archive(more);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_NE(refused.error().message.find("4000 names"), std::string::npos);
}

}  // namespace
}  // namespace knarr::image
