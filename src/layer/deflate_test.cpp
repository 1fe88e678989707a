// Compared with zlib, piece by piece and bit by bit.
#include "layer/deflate.h"

#include <random>

#include <zlib.h>

#include <gtest/gtest.h>

#include "layer/testing_deflate.h"

namespace knarr::layer {
namespace {

/// Hands out pieces of a given size.
class Pieces : public ByteSource {
public:
    Pieces(std::string_view bytes, std::size_t size) : left_(bytes), size_(size) {}
    Result<std::string_view> next() override {
        const std::string_view piece = left_.substr(0, size_);
        left_.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view left_;
    std::size_t size_;
};

std::string packed(const std::string& text, int level, int strategy = Z_DEFAULT_STRATEGY) {
    return deflate_by_zlib(text, -15, level, strategy);
}

std::optional<std::string> by_us(std::string_view bytes, std::size_t piece) {
    Pieces source(bytes, piece);
    DeflateReader reader(source);
    reader.begin();
    std::string out;
    while (true) {
        const auto got = reader.next();
        if (!got) {
            EXPECT_EQ(got.error().code, Errc::invalid_image);
            return std::nullopt;
        }
        if (got->empty()) {
            return out;
        }
        out += *got;
    }
}

std::vector<std::string> samples() {
    std::mt19937 random(7);
    std::string noise, words, runs, few;
    for (int i = 0; i < 300'000; ++i) {
        noise += static_cast<char>(random());
        few += "ab"[random() % 2];
    }
    while (words.size() < 600'000) {
        words += "word" + std::to_string(random() % 5000) + ' ';
        if (random() % 50 == 0) {
            words += words.substr(random() % words.size(), random() % 400);
        }
    }
    for (int distance = 1; distance < 40; ++distance) {
        const std::string unit = noise.substr(static_cast<std::size_t>(distance) * 100,
                                              static_cast<std::size_t>(distance));
        for (int i = 0; i < 100; ++i) {
            runs += unit;
        }
    }
    return {"", "x", runs, noise, few, words, std::string(1'000'000, '\0')};
}

TEST(Deflate, GivesWhatWasPackedWithEachLevelStrategyAndPieceSize) {
    for (const std::string& text : samples()) {
        for (const int level : {0, 1, 6, 9}) {
            for (const int strategy : {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE}) {
                const std::string bytes = packed(text, level, strategy);
                for (const std::size_t piece : {std::size_t{1}, std::size_t{4099}, bytes.size()}) {
                    if (piece == 1 && bytes.size() > 10'000) {
                        continue;
                    }
                    const auto out = by_us(bytes, std::max<std::size_t>(piece, 1));
                    ASSERT_TRUE(out);
                    ASSERT_TRUE(*out == text) << level << ' ' << strategy << ' ' << piece;
                }
            }
        }
    }
}

TEST(Deflate, RefusesEveryTruncation) {
    const std::string bytes = packed(samples()[5].substr(0, 20'000), 6);
    for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 97) {
        EXPECT_FALSE(by_us(std::string_view(bytes).substr(0, size), 512)) << size;
    }
    EXPECT_TRUE(by_us(bytes, 512));
}

TEST(Deflate, AgreesWithZlibOnWhatIsDamaged) {
    std::mt19937 random(3);
    int refused = 0;
    for (const int level : {0, 1, 9}) {
        const std::string whole = packed(samples()[5].substr(0, 30'000), level);
        for (int i = 0; i < 3000; ++i) {
            std::string bytes = whole;
            for (std::size_t flips = 1 + random() % 3; flips != 0; --flips) {
                // Mostly in the first bytes, where the codes are described.
                const std::size_t at = random() % (i % 2 == 0 ? 200 : bytes.size());
                bytes[at] = static_cast<char>(bytes[at] ^ (1U << random() % 8));
            }
            const auto ours = by_us(bytes, 1 + random() % 5000);
            ASSERT_TRUE(ours == inflate_by_zlib(bytes)) << i;
            refused += ours ? 0 : 1;
        }
    }
    EXPECT_GT(refused, 1000);
}

TEST(Deflate, LeavesTheBytesBehindAStream) {
    const std::string first = packed("first", 6), second = packed("second", 0);
    const std::string bytes = first + "AB" + second + "C";
    for (const std::size_t piece : {1U, 3U, 100U}) {
        Pieces source(bytes, piece);
        DeflateReader reader(source);
        reader.begin();
        EXPECT_EQ(reader.next().value(), "first");
        EXPECT_EQ(reader.next().value(), "");
        EXPECT_EQ(reader.byte().value(), 'A');
        EXPECT_EQ(reader.byte().value(), 'B');
        reader.begin();
        EXPECT_EQ(reader.next().value(), "second");
        EXPECT_EQ(reader.next().value(), "");
        EXPECT_EQ(reader.byte().value(), 'C');
        EXPECT_FALSE(reader.byte().value());
    }
}

}  // namespace
}  // namespace knarr::layer
