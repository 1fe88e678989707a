#include "registry/auth.h"

#include <gtest/gtest.h>

#include "registry/challenge.h"

namespace knarr::registry {
namespace {

Login login_of(rpc::Session session) {
    session.registry = "r.io";
    session.repository = "a/b";
    return Login(session, registry_url("r.io", false).value());
}

std::vector<Challenge> bearer(const std::string& realm) {
    return {{.scheme = "bearer", .parameters = {{"realm", realm}, {"service", "s v"}}}};
}

TEST(Challenges, QuotedCommasAndEscapesBelongToTheValue) {
    const auto all = parse_challenges(
        R"(Bearer realm="https://a/token",service="s",scope="repository:x:pull,push")");
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].scheme, "bearer");
    EXPECT_EQ(all[0].parameters.at("scope"), "repository:x:pull,push");
    EXPECT_EQ(parse_challenges(R"(Basic realm="a\"b")")[0].parameters.at("realm"), "a\"b");
}

TEST(Challenges, SeveralMayShareOneField) {
    const auto all =
        parse_challenges(R"(Negotiate, Basic realm="r, x" , BEARER Realm = "t" ,service=plain)");
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].scheme, "negotiate");
    EXPECT_EQ(all[1].parameters.at("realm"), "r, x");
    EXPECT_EQ(all[2].scheme, "bearer");
    EXPECT_EQ(all[2].parameters.at("realm"), "t");
    EXPECT_EQ(all[2].parameters.at("service"), "plain");
}

TEST(Challenges, NonsenseEndsAndGivesNothingHarmful) {
    for (const char* text : {"",
                             ",,,",
                             "=",
                             "\"",
                             "Bearer realm=\"unclosed",
                             "Bearer =x",
                             "\x01\x02",
                             "Basic realm=\"\\"}) {
        EXPECT_LE(parse_challenges(text).size(), 2U) << text;
    }
}

TEST(Login, AsksTheTokenServerForThePullScope) {
    Login login = login_of({});
    const auto request = login.answer(bearer("https://auth.io/token")).value();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url.text(),
              "https://auth.io/token?service=s%20v&scope=repository%3Aa%2Fb%3Apull");
    EXPECT_TRUE(request->headers.empty()) << "anonymous";
    ASSERT_TRUE(login.accept_token(200, R"({"token":"T0"})"));
    EXPECT_EQ(login.header(), "Bearer T0");
    EXPECT_EQ(login.generation(), 1U);
}

TEST(Login, SendsPasswordsByBasicAndIdentityTokensByPost) {
    Login named = login_of({.username = "me", .password = "pw"});
    const auto by_get = named.answer(bearer("https://auth.io/t?x=1")).value();
    EXPECT_EQ(by_get->headers.at(0), "Authorization: Basic bWU6cHc=");
    EXPECT_TRUE(by_get->url.rest.starts_with("/t?x=1&service=")) << by_get->url.rest;
    EXPECT_TRUE(by_get->url.rest.ends_with("&account=me"));

    Login token = login_of({.identity_token = "id&"});
    const auto by_post = token.answer(bearer("https://auth.io/t")).value();
    ASSERT_TRUE(by_post->form);
    EXPECT_TRUE(by_post->form->starts_with(
        "grant_type=refresh_token&client_id=knarr&refresh_token=id%26&"));
    EXPECT_EQ(by_post->url.rest, "/t") << "secrets do not go into addresses";
}

TEST(Login, DoesNotSendCredentialsToAnUnsafeTokenServer) {
    Login login = login_of({.username = "me", .password = "pw"});
    EXPECT_FALSE(login.answer(bearer("http://auth.io/token")));
    EXPECT_FALSE(login.answer(bearer("file:///etc/passwd")));
}

TEST(Login, BasicNeedsCredentialsAndIsTriedOnce) {
    const std::vector<Challenge> basic{{.scheme = "basic"}};
    EXPECT_EQ(login_of({}).answer(basic).error().code, Errc::unauthorized);
    Login login = login_of({.username = "me", .password = "pw"});
    EXPECT_FALSE(login.answer(basic).value().has_value()) << "no further request is needed";
    EXPECT_EQ(login.header(), "Basic bWU6cHc=");
    EXPECT_EQ(login.answer(basic).error().code, Errc::unauthorized);
}

TEST(Login, TokensThatWouldBreakAHeaderAreRefused) {
    Login login = login_of({});
    EXPECT_FALSE(login.accept_token(200, R"({"token":"a\r\nX-Evil: 1"})"));
    EXPECT_FALSE(login.accept_token(200, R"({"token":""})"));
    EXPECT_FALSE(login.accept_token(200, "no json"));
    EXPECT_EQ(login.accept_token(401, "").error().code, Errc::unauthorized);
    EXPECT_EQ(login.accept_token(418, "").error().code, Errc::registry_failed);
    EXPECT_TRUE(login.header().empty());
}

}  // namespace
}  // namespace knarr::registry
