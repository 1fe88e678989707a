#include "cli/options.h"

#include <array>

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

constexpr std::array kOptions{
    Option{.name = "bundle", .letter = 'b', .value = "DIR", .help = "", .fallback = ""},
    Option{.name = "env",
           .letter = 'e',
           .value = "K=V",
           .help = "",
           .fallback = "",
           .repeatable = true},
    Option{.name = "force", .letter = 'f', .value = "", .help = "", .fallback = ""},
    Option{.name = "quiet", .letter = 'q', .value = "", .help = "", .fallback = ""},
    Option{.name = "pids-limit", .letter = 0, .value = "N", .help = "", .fallback = ""},
};

using Args = std::vector<std::string_view>;

Parsed good(const Args& args, ParseRules rules = {}) {
    auto parsed = parse(kOptions, args, rules);
    EXPECT_TRUE(parsed) << parsed.error().message;
    return parsed.value_or(Parsed{});
}

Error bad(const Args& args) {
    auto parsed = parse(kOptions, args);
    EXPECT_FALSE(parsed);
    return parsed ? Error{} : parsed.error();
}

TEST(Options, ValuesComeAfterABlankOrAnEqualsSign) {
    EXPECT_EQ(good({"--bundle", "/b"}).get("bundle"), "/b");
    EXPECT_EQ(good({"--bundle=/b"}).get("bundle"), "/b");
    EXPECT_EQ(good({"-b", "/b"}).get("bundle"), "/b");
    EXPECT_EQ(good({"-b/b"}).get("bundle"), "/b");
    EXPECT_EQ(good({"-b=/b"}).get("bundle"), "/b");
    EXPECT_EQ(good({"--bundle="}).get("bundle", "x"), "");
}

TEST(Options, AValueMayLookLikeAnOption) {
    EXPECT_EQ(good({"-e", "-x"}).get("env"), "-x");
    EXPECT_EQ(good({"--env=A=B"}).get("env"), "A=B");
}

TEST(Options, StandBeforeAndAfterThePositionals) {
    const Args args{"-f", "web", "--bundle", "/b"};
    const auto parsed = good(args);
    EXPECT_TRUE(parsed.flag("force"));
    EXPECT_EQ(parsed.get("bundle"), "/b");
    EXPECT_EQ(parsed.positionals, Args{"web"});
}

TEST(Options, BelongToTheCommandOnceTheLimitOfPositionalsIsReached) {
    const Args args{"-f", "image", "-q", "--bundle", "--"};
    const auto parsed = good(args, {.options_until = 1});
    EXPECT_FALSE(parsed.flag("quiet"));
    EXPECT_EQ(parsed.positionals, (Args{"image", "-q", "--bundle", "--"}));
}

TEST(Options, DoubleDashEndsThem) {
    const auto parsed = good({"--", "-f", "--"});
    EXPECT_FALSE(parsed.flag("force"));
    EXPECT_EQ(parsed.positionals, (Args{"-f", "--"}));
}

TEST(Options, LettersAreGrouped) {
    const auto parsed = good({"-fqb", "/b"});
    EXPECT_TRUE(parsed.flag("force"));
    EXPECT_TRUE(parsed.flag("quiet"));
    EXPECT_EQ(parsed.get("bundle"), "/b");
}

TEST(Options, FlagsCanBeSwitchedOff) {
    EXPECT_FALSE(good({"--force=false"}).flag("force"));
    EXPECT_TRUE(good({"--force=true"}).flag("force"));
    EXPECT_EQ(bad({"--force=maybe"}).code, Errc::invalid_argument);
}

TEST(Options, RepeatedOnesAreKeptInOrder) {
    const Args args{"-e", "A=1", "--env", "B=2"};
    EXPECT_EQ(good(args).all("env"), (Args{"A=1", "B=2"}));
}

TEST(Options, TheLastValueCountsWhereOneIsMeant) {
    const Args args{"-b", "/a", "--bundle", "/b"};
    EXPECT_EQ(good(args).get("bundle"), "/b");
    EXPECT_EQ(good(args).all("bundle"), Args{"/b"});
}

TEST(Options, AMissingValueNamesWhatIsMissing) {
    EXPECT_EQ(bad({"--bundle"}).message, "option --bundle needs a value: DIR");
    EXPECT_EQ(bad({"-fb"}).message, "option -b needs a value: DIR");
}

TEST(Options, TwoLettersInEachOthersPlaceAreOneMistake) {
    constexpr std::array<std::string_view, 3> kWords{"run", "name", "images"};
    EXPECT_EQ(nearest("rnu", kWords), "run");
    EXPECT_EQ(nearest("nmae", kWords), "name");
    EXPECT_EQ(nearest("imaegs", kWords), "images");
    EXPECT_FALSE(nearest("nur", kWords));
    EXPECT_FALSE(nearest("xyz", kWords));
}

TEST(Options, AnUnknownOneSuggestsTheNearest) {
    EXPECT_EQ(bad({"--bundel", "x"}).hint, "did you mean --bundle?");
    EXPECT_EQ(bad({"--pid-limit=3"}).hint, "did you mean --pids-limit?");
    EXPECT_EQ(bad({"--bund=x"}).hint, "did you mean --bundle?");  // never an abbreviation
    EXPECT_EQ(bad({"--zzz"}).hint, "");
    EXPECT_EQ(bad({"-z"}).message, "unknown option -z");
}

TEST(Options, ALongUnknownOneCostsNoMemory) {
    const std::string monster = "--" + std::string(1'000'000, 'a');
    EXPECT_LT(bad({monster}).message.size(), 400u);
}

TEST(Options, ALoneDashIsPositional) {
    EXPECT_EQ(good({"-"}).positionals, Args{"-"});
}

TEST(Options, HelpEndsTheParse) {
    EXPECT_TRUE(good({"web", "--help", "--unknown"}).help);
    EXPECT_TRUE(good({"-h"}).help);
    EXPECT_TRUE(good({"-fh"}).help);
}

TEST(Options, NumbersAreStrict) {
    EXPECT_EQ(good({"--pids-limit", "7"}).number("pids-limit", 9).value(), 7u);
    EXPECT_FALSE(good({"--pids-limit", "10"}).number("pids-limit", 9));
    EXPECT_FALSE(good({"--pids-limit", "-1"}).number("pids-limit", 9));
    EXPECT_FALSE(good({"--pids-limit", "7x"}).number("pids-limit", 9));
    EXPECT_EQ(good({}).number("pids-limit", 9).value(), std::nullopt);
}

TEST(Options, WhatOthersHaveIsRefusedWithTheReason) {
    constexpr std::array kRefused{
        RefusedOption{.name = "link", .letter = 'l', .why = "no network", .instead = "host"}};
    for (const std::string_view word : {"--link", "--link=a", "-l", "-la"}) {
        const std::vector<std::string_view> words{word, "x"};
        const auto out = parse(kOptions, words, {.refused = kRefused});
        ASSERT_FALSE(out) << word;
        EXPECT_EQ(out.error().code, Errc::unsupported);
        EXPECT_NE(out.error().message.find("no network"), std::string::npos);
        EXPECT_EQ(out.error().hint, "host");
    }
    const std::vector<std::string_view> other{"--other"};
    EXPECT_EQ(parse(kOptions, other, {.refused = kRefused}).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace knarr::cli
