#include "layer/tar_extended.h"

#include <gtest/gtest.h>

namespace knarr::layer {
namespace {

/// "LENGTH KEY=VALUE\n"; LENGTH counts itself.
std::string pax(const std::string& text) {
    const std::size_t rest = text.size() + 2;
    return fmt::format("{} {}\n", rest + (rest < 9 ? 1 : 2), text);  // less than 100
}

class ExtendedHeaders : public testing::Test {
protected:
    PaxRecords global_;
    TarExtended extended_{.global = global_};
};

TEST_F(ExtendedHeaders, OfTheEntryGoBeforeThoseOfAll) {
    ASSERT_TRUE(extended_.add_pax(pax("path=all") + pax("uid=1234"), PaxScope::global));
    ASSERT_TRUE(extended_.add_pax(pax("path=one") + pax("uid="), PaxScope::entry));
    EXPECT_EQ(*extended_.find("path"), "one");
    EXPECT_EQ(extended_.find("uid"), nullptr) << "an empty one takes the other back";
    EXPECT_EQ(global_.at("uid"), "1234");
    EXPECT_EQ(extended_.find("gid"), nullptr);
}

TEST_F(ExtendedHeaders, AttributesAreOfOneEntryAndBounded) {
    ASSERT_TRUE(extended_.add_pax(pax("SCHILY.xattr.user.a=1=2"), PaxScope::entry));
    ASSERT_TRUE(extended_.add_pax(pax("SCHILY.xattr.user.b=3"), PaxScope::global));
    ASSERT_EQ(extended_.xattrs.size(), 1U);
    EXPECT_EQ(extended_.xattrs[0], (std::pair<std::string, std::string>("user.a", "1=2")));
    const std::string much = "SCHILY.xattr.user.c=" + std::string(kMaxXattrBytes, 'x');
    const auto refused =
        extended_.add_pax(fmt::format("{} {}\n", much.size() + 9, much), PaxScope::entry);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
}

TEST_F(ExtendedHeaders, MalformedRecordsAreRefused) {
    for (const std::string& body : {std::string("8 path=x\n"),
                                    std::string("11 path=x\n"),
                                    std::string("9 path=x "),
                                    std::string("path=x\n"),
                                    std::string("-1 path=x\n"),
                                    std::string("99999999999999999999 path=x\n"),
                                    pax("a value alone"),
                                    pax("=no key at all"),
                                    pax("GNU.sparse.numbytes=1"),
                                    pax("GNU.sparse.offset=-1")}) {
        EXPECT_FALSE(extended_.add_pax(body, PaxScope::entry).has_value()) << body;
    }
    EXPECT_TRUE(extended_.add_pax("9 path=x\n", PaxScope::entry).has_value());
}

}  // namespace
}  // namespace knarr::layer
