#include "registry/refusal.h"

#include <gtest/gtest.h>

namespace knarr::registry {
namespace {

using std::chrono::seconds;

constexpr Clock::Wall kNow{};

Refusal of(const HttpHead& head, std::string_view body = {}, bool logged_in = false) {
    return refusal_of(head, body, {.host = "r.io", .logged_in = logged_in}, kNow);
}

TEST(Refusal, SaysWhatTheServerSays) {
    const Refusal denied =
        of({.status = 403}, R"({"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]})");
    EXPECT_EQ(denied.code, Errc::unauthorized);
    EXPECT_EQ(denied.text, "r.io answered 403: DENIED: no; X");
    EXPECT_FALSE(denied.may_pass);
    EXPECT_EQ(of({.status = 404}, "no JSON").text, "r.io answered 404");
    EXPECT_EQ(of({.status = 404}).code, Errc::image_not_found);
    EXPECT_EQ(of({.status = 405}).code, Errc::unsupported);
    EXPECT_EQ(of({.status = 418}).code, Errc::registry_failed);
}

TEST(Refusal, AServersTroubleMayPass) {
    for (const int status : {408, 500, 503}) {
        const Refusal trouble = of({.status = status, .fields = {{"retry-after", "7"}}});
        EXPECT_TRUE(trouble.may_pass) << status;
        EXPECT_EQ(trouble.wait, seconds(7)) << status;
        EXPECT_EQ(trouble.reason, trouble.text) << status;
    }
    EXPECT_FALSE(of({.status = 400}).may_pass);
}

TEST(Refusal, ALimitedRateIsWaitedForUnlessItTakesTooLong) {
    const Refusal soon =
        of({.status = 429, .fields = {{"retry-after", "60"}, {"ratelimit-limit", "100;w=21600"}}});
    EXPECT_EQ(soon.code, Errc::rate_limited);
    EXPECT_EQ(soon.text, "too many requests: r.io answered 429; it allows 100 in 6 hours");
    EXPECT_EQ(soon.hint,
              "the registry asks to wait 60 s; or log in for a higher limit: knarr login");
    EXPECT_TRUE(soon.may_pass);
    const Refusal late = of({.status = 429, .fields = {{"retry-after", "61"}}}, {}, true);
    EXPECT_FALSE(late.may_pass);
    EXPECT_EQ(late.hint, "the registry asks to wait 61 s");
    EXPECT_EQ(of({.status = 429}, {}, true).hint, "");
}

}  // namespace
}  // namespace knarr::registry
