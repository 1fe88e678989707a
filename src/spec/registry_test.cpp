#include "spec/registry.h"

#include <gtest/gtest.h>

#include "spec/oci_layout.h"

namespace knarr::spec {
namespace {

std::string credentials_refusal(std::string_view json) {
    const auto result = decode_credentials(json);
    return result ? "(accepted)" : result.error().message;
}

TEST(RegistryToken, IsReadUnderEitherName) {
    EXPECT_EQ(decode_token(R"({"token":"a.b","expires_in":300})").value().text, "a.b");
    EXPECT_EQ(decode_token(R"({"token":"a.b","expires_in":300})").value().expires_in, 300);
    EXPECT_EQ(decode_token(R"({"access_token":"x"})").value().text, "x");
    EXPECT_EQ(decode_token(R"({"access_token":"x"})").value().expires_in, 60);
    EXPECT_EQ(decode_token("{}").error().message, "token: token: is missing");
    EXPECT_EQ(decode_token("{}").error().code, Errc::registry_failed);
    EXPECT_FALSE(decode_token("{\"token\":\"a\\r\\nHost: x\"}"));
    EXPECT_EQ(decode_token(R"({"token":{"s3cret":1}})").error().message,
              "token: token: this is an object, not a string");
}

TEST(RegistryErrors, AreReadWhereThereAreAny) {
    const auto errors = decode_registry_errors(
        R"({"errors":[{"code":"DENIED","message":"no","detail":{"x":1}},{"code":"B","detail":"d"}]})");
    ASSERT_EQ(errors.size(), 2u);
    EXPECT_EQ(errors[0].code, "DENIED");
    EXPECT_EQ(errors[0].message, "no");
    EXPECT_EQ(errors[1].detail, "d");
    EXPECT_EQ(
        decode_registry_errors(R"({"error":"invalid_grant","error_description":"bad"})")[0].message,
        "bad");
    for (const char* body : {"", "<html>", "{}", "[]", R"({"errors":"x"})"}) {
        EXPECT_TRUE(decode_registry_errors(body).empty()) << body;
    }
}

TEST(Credentials, AreReadFromDockersAndPodmansFiles) {
    const auto file = decode_credentials(R"({
        "auths":{"r.example":{"auth":"dXNlcjpwYTpzcw=="},"https://index.docker.io/v1/":{},
                 "q.io/team":{"username":"u","password":"p"},"t":{"identitytoken":"tok"}},
        "credHelpers":{"gcr.io":"gcloud"},"credsStore":"desktop","HttpHeaders":{"X":"y"}})");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->auths.at("r.example").username, "user");
    EXPECT_EQ(file->auths.at("r.example").password, "pa:ss");
    EXPECT_EQ(file->auths.at("q.io/team").password, "p");
    EXPECT_EQ(file->auths.at("t").identity_token, "tok");
    EXPECT_TRUE(file->auths.at("https://index.docker.io/v1/").username.empty());
    EXPECT_EQ(file->cred_helpers.at("gcr.io"), "gcloud");
    EXPECT_EQ(file->creds_store, "desktop");
    EXPECT_TRUE(decode_credentials("{}"));
}

TEST(Credentials, AreRefusedWithoutShowingASecret) {
    EXPECT_EQ(credentials_refusal(R"({"auths":{"r":"dXNlcjpwYXNz"}})"),
              "credentials: auths.r: this is a string, not an object");
    EXPECT_EQ(credentials_refusal(R"({"auths":{"r":{"auth":"s3cret!"}}})"),
              "credentials: auths.r.auth: is not the base64 of user:password");
    EXPECT_EQ(credentials_refusal(R"({"auths":{"r":{"auth":"bm9jb2xvbg=="}}})"),
              "credentials: auths.r.auth: is not the base64 of user:password");
    EXPECT_EQ(credentials_refusal(R"({"auths":{"r":{"username":"u","password":"a\nb"}}})"),
              "credentials: auths.r: has a line break or NUL in a name or password");
    EXPECT_EQ(credentials_refusal(R"({"credHelpers":{"r":"../../bin/sh"}})"),
              "credentials: credHelpers: a helper's name has more than letters, digits, '.', '_' "
              "and '-'");
    EXPECT_FALSE(decode_credentials(R"({"credsStore":"-x"})"));
    EXPECT_EQ(decode_credentials("[]").error().code, Errc::invalid_argument);
}

TEST(Credentials, EditsKeepEverythingElse) {
    const RegistryAuth login{.username = "me", .password = "p:w", .identity_token = {}};
    const std::string before =
        R"({"HttpHeaders":{"a":[1,null,true]},"auths":{"a":{"auth":"YTox"},"r.io":{}},"n":-7})";
    const std::string after = edit_credentials(before, "r.io", &login).value();
    const auto file = decode_credentials(after).value();
    EXPECT_EQ(file.auths.at("r.io").password, "p:w");
    EXPECT_EQ(file.auths.at("a").username, "a");
    EXPECT_NE(after.find("HttpHeaders"), std::string::npos);
    EXPECT_NE(after.find("null"), std::string::npos);
    EXPECT_NE(after.find("-7"), std::string::npos);
    const auto gone = decode_credentials(edit_credentials(after, "r.io", nullptr).value()).value();
    EXPECT_FALSE(gone.auths.contains("r.io"));
    EXPECT_TRUE(gone.auths.contains("a"));
    EXPECT_EQ(decode_credentials(edit_credentials("", "x", &login).value()).value().auths.size(),
              1U);
}

TEST(Credentials, WhatCannotBeReadIsNotRewritten) {
    EXPECT_FALSE(edit_credentials("[]", "r", nullptr));
    EXPECT_FALSE(edit_credentials(R"({"x":1.5})", "r", nullptr)) << "it would not stay 1.5";
    EXPECT_FALSE(edit_credentials("{", "r", nullptr));
}

TEST(Credentials, HelpersSpeakInTheirOwnWords) {
    const auto login = decode_helper_login(R"({"ServerURL":"r","Username":"me","Secret":"s"})");
    EXPECT_EQ(login->password, "s");
    const auto token = decode_helper_login(R"({"Username":"<token>","Secret":"T"})");
    EXPECT_EQ(token->identity_token, "T");
    EXPECT_TRUE(token->username.empty());
    EXPECT_FALSE(decode_helper_login(R"({"Username":"me"})"));
    EXPECT_FALSE(decode_helper_login(R"({"Username":"a\nb","Secret":"x"})"));
    EXPECT_EQ(encode_helper_login("r", *login),
              R"({"ServerURL":"r","Username":"me","Secret":"s"})");
}

TEST(Tags, MayBeNone) {
    EXPECT_EQ(decode_tags(R"({"name":"a","tags":["1","2"]})").value().size(), 2U);
    EXPECT_TRUE(decode_tags(R"({"name":"a","tags":null})").value().empty());
    EXPECT_EQ(decode_tags(R"({"tags":[7]})").error().code, Errc::registry_failed);
}

TEST(OciLayout, MustBeOfTheFirstMajorVersion) {
    EXPECT_TRUE(check_oci_layout(R"({"imageLayoutVersion":"1.0.0"})"));
    EXPECT_EQ(check_oci_layout(R"({"imageLayoutVersion":"2.0.0"})").error().message,
              "oci-layout: imageLayoutVersion: \"2.0.0\" is not 1.x");
    EXPECT_EQ(check_oci_layout("{}").error().code, Errc::invalid_image);
}

TEST(DockerArchive, GivesEachImagesFiles) {
    const auto images = decode_docker_archive(
        R"([{"Config":"abc.json","RepoTags":["busybox:latest"],"Layers":["l1/layer.tar","l2/layer.tar"]},
            {"Config":"blobs/sha256/0","RepoTags":null,"Layers":null}])");
    ASSERT_TRUE(images) << images.error().message;
    ASSERT_EQ(images->size(), 2u);
    EXPECT_EQ(images->at(0).layers[1], "l2/layer.tar");
    EXPECT_EQ(images->at(0).repo_tags[0], "busybox:latest");
    EXPECT_TRUE(images->at(1).layers.empty());
}

TEST(DockerArchive, NamesThatLeaveTheArchiveAreRefused) {
    const auto refusal = [](std::string_view json) {
        return decode_docker_archive(json).error().message;
    };
    EXPECT_EQ(
        refusal(R"([{"Config":"/etc/passwd"}])"),
        "manifest.json: [0].Config: \"/etc/passwd\" is not the name of a file in the archive");
    EXPECT_EQ(
        refusal(R"([{"Config":"a","Layers":["b","x/../../y"]}])"),
        "manifest.json: [0].Layers[1]: \"x/../../y\" is not the name of a file in the archive");
    EXPECT_EQ(refusal(R"([{"Config":""}])"),
              "manifest.json: [0].Config: \"\" is not the name of a file in the archive");
    EXPECT_EQ(refusal("{}"), "manifest.json: this is an object, not an array");
}

}  // namespace
}  // namespace knarr::spec
