#include "image/credentials.h"

#include <stdlib.h>

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

std::optional<Credentials> find(std::string_view json, std::string_view reference) {
    return find_credentials(json, "auth.json", Reference::parse(reference).value())
        .value()
        .credentials;
}

FoundLogin found(std::string_view json, std::string_view reference) {
    return find_credentials(json, "auth.json", Reference::parse(reference).value()).value();
}

Error refusal(std::string_view json, std::string_view reference) {
    return find_credentials(json, "auth.json", Reference::parse(reference).value()).error();
}

TEST(Credentials, AreFoundByTheLongestName) {
    const std::string_view json = R"({"auths":{
        "r.io": {"auth": "YTox"},
        "r.io/team": {"auth": "Yjoy"},
        "r.io/team/app": {"auth": "YzpwOnc="}}})";
    EXPECT_EQ(find(json, "r.io/x")->username, "a");
    EXPECT_EQ(find(json, "r.io/team/other")->username, "b");
    EXPECT_EQ(find(json, "r.io/team/app:1")->password, "p:w") << "the first colon splits";
    EXPECT_FALSE(find(json, "other.io/x"));
    EXPECT_FALSE(find(json, "r.io:5000/x")) << "another port is another registry";
}

TEST(Credentials, KnowDockersNamesForTheHub) {
    EXPECT_EQ(
        find(R"({"auths":{"https://index.docker.io/v1/":{"auth":"YTox"}}})", "busybox")->password,
        "1");
    EXPECT_EQ(find(R"({"auths":{"docker.io":{"auth":"YTox"}}})", "busybox")->password, "1");
    EXPECT_EQ(find(R"({"auths":{"https://r.io":{"auth":"YTox"}}})", "r.io/x")->password, "1");
}

TEST(Credentials, IdentityTokensAreNotPasswords) {
    const auto token = find(R"({"auths":{"r.io":{"auth":"","identitytoken":"T"}}})", "r.io/x");
    EXPECT_EQ(token->identity_token, "T");
    const auto named =
        find(R"({"auths":{"r.io":{"username":"<token>","password":"T"}}})", "r.io/x");
    EXPECT_EQ(named->identity_token, "T");
    EXPECT_TRUE(named->password.empty());
}

TEST(Credentials, HelpersAreNamedWithWhatTheyCallTheRegistry) {
    const std::string_view json = R"({"credHelpers":{"gcr.io":"gcloud"},"auths":{}})";
    EXPECT_TRUE(found(json, "r.io/x").helper.empty());
    EXPECT_EQ(found(json, "gcr.io/x").helper, "gcloud");
    EXPECT_EQ(found(json, "gcr.io/x").server, "gcr.io");
    EXPECT_TRUE(found(json, "gcr.io/x").is_expected);
    const FoundLogin stored = found(R"({"auths":{"r.io":{}},"credsStore":"pass"})", "r.io/x");
    EXPECT_EQ(stored.helper, "pass");
    EXPECT_TRUE(stored.is_expected);
    const FoundLogin hub = found(R"({"auths":{},"credsStore":"pass"})", "busybox");
    EXPECT_EQ(hub.server, kHubKey);
    EXPECT_FALSE(hub.is_expected) << "nobody said that there is a login";
}

TEST(Credentials, ARegistryAloneIsAPlaceToLogInAt) {
    EXPECT_EQ(login_place("r.io:5000").value().domain(), "r.io:5000");
    EXPECT_EQ(login_place("localhost").value().domain(), "localhost");
    EXPECT_EQ(login_place("https://r.io/").value().domain(), "r.io");
    EXPECT_EQ(login_place("").value().domain(), "docker.io");
    EXPECT_EQ(login_place("https://index.docker.io/v1/").value().domain(), "docker.io");
    EXPECT_EQ(login_place("r.io/team").value().name(), "r.io/team");
    for (const char* text : {"no_registry", "r.io:x", "a b", "../x", "team/app"}) {
        EXPECT_FALSE(login_place(text)) << text;
    }
}

TEST(Credentials, AMirrorOfOneWordDoesNotGetTheHubsLogin) {
    EXPECT_FALSE(place_at("mirror", "library/alpine"));
    EXPECT_FALSE(place_at("registry", "team/app"));
    EXPECT_EQ(place_at("mirror:5000", "library/alpine")->domain(), "mirror:5000");
    EXPECT_EQ(place_at("r.io", "team/app")->name(), "r.io/team/app");
    EXPECT_EQ(place_at(kDefaultDomainHost, "library/alpine")->domain(), kDefaultDomain);
}

TEST(Credentials, BrokenFilesAreRefused) {
    for (const char* json : {"",
                             "[]",
                             R"({"auths":{"r.io":{"auth":"!!"}}})",
                             R"({"auths":{"r.io":{"auth":"YQ=="}}})",
                             R"({"auths":{"r.io":{"auth":7}}})"}) {
        EXPECT_EQ(refusal(json, "r.io/x").code, Errc::invalid_argument) << json;
    }
}

TEST(AuthFiles, AnExplicitFileIsTheOnlyOne) {
    setenv("REGISTRY_AUTH_FILE", "/env.json", 1);
    EXPECT_EQ(auth_files("/mine.json").at(0).path, "/mine.json");
    EXPECT_EQ(auth_files("").at(0).path, "/env.json");
    EXPECT_EQ(auth_files("").size(), 1U);
    unsetenv("REGISTRY_AUTH_FILE");
    setenv("HOME", "/h", 1);
    setenv("XDG_RUNTIME_DIR", "/x", 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("DOCKER_CONFIG");
    const auto files = auth_files("");
    ASSERT_EQ(files.size(), 3U);
    EXPECT_EQ(files[0].path, "/x/containers/auth.json");
    EXPECT_EQ(files[1].path, "/h/.config/containers/auth.json");
    EXPECT_EQ(files[2].path, "/h/.docker/config.json");
    EXPECT_FALSE(files[0].must_exist);
    setenv("DOCKER_CONFIG", "/d", 1);
    EXPECT_EQ(auth_files("").at(0).path, "/d/config.json");
    EXPECT_EQ(auth_files("").size(), 3U);
    unsetenv("DOCKER_CONFIG");
}

}  // namespace
}  // namespace knarr::image
