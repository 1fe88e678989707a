#include "knarr/types.h"

#include <string>

#include <gtest/gtest.h>

namespace knarr {
namespace {

TEST(ContainerId, AcceptsWhatRuncAccepts) {
    for (const char* text : {"a", "web-1", "_x", "9", "a.b+c_d-e", "0193c0de-7000-7000-8000-00"}) {
        const auto id = ContainerId::parse(text);
        ASSERT_TRUE(id) << text;
        EXPECT_EQ(id->text(), text);
    }
}

TEST(ContainerId, RefusesWhatCouldLeaveADirectory) {
    for (const char* text : {"", ".", "..", "../x", "a/b", "/a", ".hidden", "-rm", "+a", "a b"}) {
        EXPECT_EQ(ContainerId::parse(text).error().code, Errc::invalid_argument) << text;
    }
    EXPECT_FALSE(ContainerId::parse(std::string_view("a\0b", 3)));
    EXPECT_FALSE(ContainerId::parse("caf\xc3\xa9"));
    EXPECT_FALSE(ContainerId::parse("a\n"));
}

TEST(ContainerId, MayBeAsLongAsTheLimitAndNoLonger) {
    EXPECT_TRUE(ContainerId::parse(std::string(128, 'a')));
    EXPECT_FALSE(ContainerId::parse(std::string(129, 'a')));
}

TEST(ContainerId, ShowsHostileTextEscapedInItsError) {
    EXPECT_NE(ContainerId::parse("\x1b[2J").error().message.find("\\x1b[2J"), std::string::npos);
}

TEST(Isolation, GoesToItsNameAndBack) {
    for (const auto kind :
         {Isolation::native, Isolation::microvm, Isolation::wasm, Isolation::host}) {
        EXPECT_EQ(parse_isolation(name_of(kind)).value(), kind);
    }
}

TEST(Isolation, NamesAllKindsWhenItRefuses) {
    const auto refused = parse_isolation("vm");
    ASSERT_FALSE(refused);
    for (const char* kind : {"native", "microvm", "wasm", "host"}) {
        EXPECT_NE(refused.error().message.find(kind), std::string::npos);
    }
    EXPECT_FALSE(parse_isolation(""));
    EXPECT_FALSE(parse_isolation("Native"));
}

TEST(ContainerState, IsSpelledAsTheRuntimeSpecDoes) {
    EXPECT_EQ(name_of(ContainerState::creating), "creating");
    EXPECT_EQ(name_of(ContainerState::created), "created");
    EXPECT_EQ(name_of(ContainerState::running), "running");
    EXPECT_EQ(name_of(ContainerState::paused), "paused");
    EXPECT_EQ(name_of(ContainerState::stopped), "stopped");
}

}  // namespace
}  // namespace knarr
