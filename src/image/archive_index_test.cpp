#include "image/archive_index.h"

#include <cstdio>

#include <unistd.h>

#include <gtest/gtest.h>

#include "core/core.h"

namespace knarr::image {
namespace {

struct Header {
    std::string name;
    char type = '0';
    std::string link = {};
    std::string body = {};
    std::uint64_t size = UINT64_MAX;  // body.size() unless said otherwise
};

std::string tar_entry(const Header& header) {
    std::string block(512, '\0');
    const std::uint64_t size = header.size == UINT64_MAX ? header.body.size() : header.size;
    block.replace(0, header.name.size(), header.name);
    block.replace(124, 12, fmt::format("{:011o}", size) + '\0');
    block.replace(148, 8, "        ");
    block[156] = header.type;
    block.replace(157, header.link.size(), header.link);
    block.replace(257,
                  8,
                  std::string("ustar\0"
                              "00",
                              8));
    unsigned sum = 0;
    for (const char c : block) {
        sum += static_cast<unsigned char>(c);
    }
    block.replace(148, 8, fmt::format("{:06o}", sum) + '\0' + ' ');
    std::string body = header.body;
    body.resize((body.size() + 511) / 512 * 512);
    return block + body;
}

/// The index of an archive of these entries; `tail` comes after them.
Result<ArchiveIndex> index_of(const std::vector<Header>& headers,
                              const std::string& tail = std::string(1024, '\0')) {
    std::string bytes;
    for (const Header& header : headers) {
        bytes += tar_entry(header);
    }
    bytes += tail;
    std::FILE* file = std::tmpfile();
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fflush(file);
    const sys::Fd fd(dup(fileno(file)));
    std::fclose(file);
    return ArchiveIndex::read(fd, bytes.size());
}

TEST(ArchiveIndex, FindsFilesBySeveralSpellings) {
    const ArchiveIndex index =
        index_of({{.name = "./a/b", .body = "one"}, {.name = "c", .body = "22"}}).value();
    EXPECT_EQ(index.find("a/b").value().offset, 512U);
    EXPECT_EQ(index.find("./a//b").value().size, 3U);
    EXPECT_EQ(index.find("c").value().offset, 512U + 512 + 512);
    EXPECT_EQ(index.find("d").error().code, Errc::invalid_image);
}

TEST(ArchiveIndex, FollowsLinksInsideTheArchive) {
    const ArchiveIndex index = index_of({{.name = "x/file", .body = "1"},
                                         {.name = "y/soft", .type = '2', .link = "../x/file"},
                                         {.name = "y/hard", .type = '1', .link = "x/file"},
                                         {.name = "out", .type = '2', .link = "/../../etc/passwd"},
                                         {.name = "loop", .type = '2', .link = "loop"}})
                                   .value();
    EXPECT_EQ(index.find("y/soft").value().offset, 512U);
    EXPECT_EQ(index.find("y/hard").value().offset, 512U);
    EXPECT_FALSE(index.find("out")) << "etc/passwd is looked up in the archive";
    EXPECT_FALSE(index.find("loop"));
}

TEST(ArchiveIndex, ReadsLongNamesOfBothKinds) {
    const std::string longer(200, 'n');
    const std::string record = fmt::format(" path={}\n", longer + "p");
    const ArchiveIndex index =
        index_of({{.name = "././@LongLink", .type = 'L', .body = longer + '\0'},
                  {.name = "cut", .body = "1"},
                  {.name = "pax", .type = 'x', .body = std::to_string(record.size() + 3) + record},
                  {.name = "cut", .body = "22"}})
            .value();
    EXPECT_EQ(index.find(longer).value().size, 1U);
    EXPECT_EQ(index.find(longer + "p").value().size, 2U);
    EXPECT_FALSE(index.find("cut"));
}

TEST(ArchiveIndex, SizesThatLeadOutAreRefused) {
    EXPECT_FALSE(index_of({{.name = "a", .size = 1'000'000}}));
    EXPECT_FALSE(
        index_of({{.name = "a", .body = "1"}, {.name = "p", .type = 'x', .size = 70'000}}));
    for (const char* pax : {"11 size=-1\n",
                            "27 size=9999999999999999999\n",
                            "99 path=x\n",
                            "x",
                            "5 a\n",
                            "3 =",
                            "0 path=\n",
                            "9 path=xx"}) {
        EXPECT_FALSE(index_of({{.name = "p", .type = 'x', .body = pax}, {.name = "a"}})) << pax;
    }
}

TEST(ArchiveIndex, JunkIsNotTakenForAnArchive) {
    EXPECT_FALSE(index_of({}, ""));
    EXPECT_FALSE(index_of({}));
    EXPECT_FALSE(index_of({}, std::string(2048, 'x')));
    EXPECT_FALSE(index_of({{.name = "a", .body = "1"}}, std::string(512, 'x')));
}

TEST(ArchiveIndex, EntriesAreBounded) {
    std::vector<Header> headers(kMaxArchiveEntries, Header{.name = "a"});
    EXPECT_TRUE(index_of(headers));
    headers.push_back({.name = "a"});
    EXPECT_EQ(index_of(headers).error().code, Errc::limit_exceeded);
}

TEST(CleanName, StaysInside) {
    EXPECT_EQ(clean_name("../../a"), "a");
    EXPECT_EQ(clean_name("/a/./b/../c"), "a/c");
    EXPECT_EQ(clean_name(""), "");
}

}  // namespace
}  // namespace knarr::image
