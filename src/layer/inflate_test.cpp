// What gzip says of itself at the end of each member; the rest of decompression is deflate_test's.
#include "layer/inflate.h"

#include <random>

#include <fcntl.h>
#include <zlib.h>

#include <gtest/gtest.h>

#include "layer/crc32.h"
#include "layer/testing_deflate.h"
#include "platform/file.h"

namespace knarr::layer {
namespace {

std::string member(const std::string& text) {
    return deflate_by_zlib(text, 15 + 16);
}

/// What is wrong with the bytes, "" where nothing is.
std::string read_through(const std::string& bytes, Proof proof) {
    const sys::Fd file = sys::open_path("/tmp", O_TMPFILE | O_RDWR, 0600).value();
    EXPECT_TRUE(sys::write_all(file, bytes));
    EXPECT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
    auto stream = LayerStream::open(file, spec::Compression::gzip, 1 << 20, proof).value();
    const auto digest = stream->finish();
    return digest ? "" : digest.error().message;
}

TEST(Crc32, IsZlibsForAnyPieces) {
    std::mt19937 random(5);
    std::string text(10'000, '\0');
    for (char& one : text) {
        one = static_cast<char>(random());
    }
    for (int i = 0; i < 200; ++i) {
        const std::string_view some = std::string_view(text).substr(0, random() % text.size());
        const std::size_t cut = some.empty() ? 0 : random() % some.size();
        Crc32 sum;
        sum.update(some.substr(0, cut));
        sum.update(some.substr(cut));
        const auto bytes = reinterpret_cast<const Bytef*>(some.data());
        ASSERT_EQ(sum.value(), crc32(0, bytes, static_cast<uInt>(some.size())));
    }
}

TEST(Gzip, EachMembersChecksumIsComparedWhereNoDigestIs) {
    const std::string first = member("some text"), second = member(std::string(300'000, 'x'));
    EXPECT_EQ(read_through(first + second, Proof::checksum), "");
    for (const std::size_t at : {first.size() - 8, first.size() + second.size() - 5}) {
        std::string bytes = first + second;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
        EXPECT_EQ(read_through(bytes, Proof::checksum),
                  "the gzip data is damaged (incorrect checksum)");
        EXPECT_EQ(read_through(bytes, Proof::digest), "");
    }
}

TEST(Gzip, EachMembersLengthIsComparedAlways) {
    const std::string first = member("some text"), second = member("more");
    for (const std::size_t at : {first.size() - 4, first.size() + second.size() - 1}) {
        std::string bytes = first + second;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
        EXPECT_EQ(read_through(bytes, Proof::checksum),
                  "the gzip data is damaged (incorrect length)");
        EXPECT_EQ(read_through(bytes, Proof::digest),
                  "the gzip data is damaged (incorrect length)");
    }
}

TEST(Gzip, AMissingTrailerIsACutOff) {
    const std::string whole = member("some text");
    for (std::size_t less = 1; less <= 8; ++less) {
        EXPECT_EQ(read_through(whole.substr(0, whole.size() - less), Proof::checksum),
                  "the gzip data is cut off");
    }
}

}  // namespace
}  // namespace knarr::layer
