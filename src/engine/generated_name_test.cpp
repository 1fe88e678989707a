#include "engine/generated_name.h"

#include <cctype>
#include <set>

#include <gtest/gtest.h>

#include "core/random.h"
#include "knarr/types.h"

namespace knarr::engine {
namespace {

std::uint64_t next(Random& random) {
    std::uint64_t drawn = 0;
    random.fill(std::as_writable_bytes(std::span(&drawn, 1)));
    return drawn;
}

TEST(GeneratedName, IsTheSameForTheSameNumber) {
    EXPECT_EQ(generated_name(0, 0), "able_abel");
    EXPECT_EQ(generated_name(112 * 3 + 97, 0), "steady_amundsen");
    EXPECT_EQ(generated_name(112 * 3 + 97, kPlainDraws - 1), "steady_amundsen");
    EXPECT_EQ(generated_name(~std::uint64_t{0}, 0), generated_name(~std::uint64_t{0}, 0));
}

TEST(GeneratedName, HasANumberBehindWhenManyWereTaken) {
    constexpr std::uint64_t kPairs = std::uint64_t{112} * 168;
    EXPECT_EQ(generated_name(kPairs * 7, kPlainDraws), "able_abel7");
    EXPECT_EQ(generated_name(kPairs * 99'999, 1000), "able_abel99999");
}

TEST(GeneratedName, IsTwoWordsThatMayNameAContainer) {
    SeededRandom random(6);
    std::set<std::string> all;
    for (int i = 0; i < 100'000; ++i) {
        const std::string name = generated_name(next(random), 0);
        all.insert(name);
        ASSERT_TRUE(ContainerId::parse(name)) << name;
        const std::size_t between = name.find('_');
        ASSERT_NE(between, std::string::npos) << name;
        for (const char letter : name.substr(0, between) + name.substr(between + 1)) {
            ASSERT_TRUE(letter >= 'a' && letter <= 'z') << name;
        }
    }
    // Nearly all that there are, each word once in its list.
    EXPECT_GT(all.size(), 18'000U);
    EXPECT_LE(all.size(), 112U * 168U);
    EXPECT_FALSE(ContainerId::parse(*all.begin() + "/"));
}

}  // namespace
}  // namespace knarr::engine
