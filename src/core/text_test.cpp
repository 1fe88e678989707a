#include "core/text.h"

#include <gtest/gtest.h>

namespace knarr {
namespace {

TEST(ParseNumber, ReadsAWholeDecimalNumber) {
    EXPECT_EQ(parse_number("0"), 0U);
    EXPECT_EQ(parse_number("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(parse_number("007"), 7U);
}

TEST(ParseNumber, RefusesWhatIsNotOne) {
    for (const char* text : {"", "-1", "+1", " 1", "1 ", "12x", "0x10", "1.0", "-0"}) {
        EXPECT_EQ(parse_number(text), std::nullopt) << text;
    }
}

TEST(ParseNumber, RefusesRatherThanWraps) {
    EXPECT_EQ(parse_number("18446744073709551616"), std::nullopt);
    EXPECT_EQ(parse_number("4294967295", UINT32_MAX), UINT32_MAX);
    EXPECT_EQ(parse_number("4294967296", UINT32_MAX), std::nullopt);
}

TEST(Split, KeepsEmptyParts) {
    EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
    EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
    EXPECT_EQ(split("abc", ','), (std::vector<std::string_view>{"abc"}));
}

TEST(Trimmed, TakesBlanksOffBothEnds) {
    EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
    EXPECT_EQ(trimmed("ab"), "ab");
    EXPECT_EQ(trimmed(" \t\r\n"), "");
    EXPECT_EQ(trimmed(""), "");
}

TEST(Printable, LeavesPlainTextAndValidUtf8Alone) {
    EXPECT_EQ(printable("web-1 \u00e9\u4e16\U0001f6a2"), "web-1 \u00e9\u4e16\U0001f6a2");
}

TEST(Printable, EscapesControlCharacters) {
    EXPECT_EQ(printable("a\x1b[31m\n\t\x7f"), "a\\x1b[31m\\x0a\\x09\\x7f");
    EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
    EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");  // C1 control sequence introducer
}

TEST(Printable, EscapesWhatChangesTheDirectionOfWriting) {
    EXPECT_EQ(printable("a\u202ab"), "a\\xe2\\x80\\xaab");
    EXPECT_EQ(printable("\u202e"), "\\xe2\\x80\\xae");
    EXPECT_EQ(printable("\u2066"), "\\xe2\\x81\\xa6");
    EXPECT_EQ(printable("\u2069"), "\\xe2\\x81\\xa9");
    for (const char* plain : {"\u2029", "\u202f", "\u2065", "\u206a"}) {  // beside them
        EXPECT_EQ(printable(plain), plain);
    }
}

TEST(Printable, EscapesInvalidUtf8) {
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("\xc3"), "\\xc3");                             // cut short
    EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong slash
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
}

TEST(Printable, CutsLongTextWithDots) {
    EXPECT_EQ(printable("abcdef", 3), "abc...");
    EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(HumanSize, ChoosesTheUnit) {
    EXPECT_EQ(human_size(0), "0 B");
    EXPECT_EQ(human_size(1023), "1023 B");
    EXPECT_EQ(human_size(1024), "1.0 KiB");
    EXPECT_EQ(human_size(1536U << 10U), "1.5 MiB");
    EXPECT_EQ(human_size(UINT64_MAX), "16.0 EiB");
}

TEST(ParseSize, ReadsSizesAsDockerWritesThem) {
    EXPECT_EQ(parse_size("512", "--memory").value(), 512);
    EXPECT_EQ(parse_size("4b", "--memory").value(), 4);
    EXPECT_EQ(parse_size("1k", "--memory").value(), 1024);
    EXPECT_EQ(parse_size("512m", "--memory").value(), 512LL << 20);
    EXPECT_EQ(parse_size("2G", "--memory").value(), 2LL << 30);
    EXPECT_EQ(parse_size("2GiB", "--memory").value(), 2LL << 30);
    EXPECT_EQ(parse_size("2Ki", "--memory").value(), 2048);
    EXPECT_EQ(parse_size("2kb", "--memory").value(), 2048);
    EXPECT_EQ(parse_size("1t", "--memory").value(), 1LL << 40);
    EXPECT_EQ(parse_size("1.5g", "--memory").value(), 3LL << 29);
    EXPECT_EQ(parse_size("0.25MiB", "--memory").value(), 1LL << 18);
    EXPECT_EQ(parse_size("1.2345678k", "--memory").value(), 1264);
    EXPECT_EQ(parse_size("1.999999t", "--memory").value(), 2199022156040);
    EXPECT_EQ(parse_size("9223372036854775807", "--memory").value(), INT64_MAX);
}

TEST(ParseSize, RefusesWhatIsNotASizeAndNamesTheOption) {
    for (const char* text : {"",
                             "m",
                             "-1",
                             "1.5",
                             "1.5b",
                             "1.g",
                             ".5g",
                             "1..5g",
                             "1.5.5g",
                             "1.-5g",
                             "1x",
                             "1mm",
                             "1bb",
                             "1bi",
                             "1 m",
                             "m1",
                             "1ki b"}) {
        const auto size = parse_size(text, "--memory");
        ASSERT_FALSE(size) << text;
        EXPECT_EQ(size.error().code, Errc::invalid_argument);
        EXPECT_NE(size.error().message.find("--memory"), std::string::npos);
    }
}

TEST(ParseSize, RefusesWhatDoesNotFit) {
    EXPECT_FALSE(parse_size("9223372036854775808", "--memory"));
    EXPECT_FALSE(parse_size("8388608t", "--memory"));
    EXPECT_EQ(parse_size("8388607t", "--memory").value(), 8388607LL << 40);
}

}  // namespace
}  // namespace knarr
