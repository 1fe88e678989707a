#include "spec/referrers.h"

#include <gtest/gtest.h>

#include "core/core.h"

namespace knarr::spec {
namespace {

const std::string kHexA(64, 'a'), kHexB(64, 'b'), kHexC(64, 'c');

std::string manifest_with(const std::string& members) {
    return fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"text/x","digest":"sha256:{}","size":2}},"layers":[]{}}})",
        media::kOciManifest,
        kHexA,
        members);
}

std::string subject(const std::string& digest) {
    return fmt::format(
        R"(,"subject":{{"mediaType":"{}","digest":"{}","size":1}})", media::kOciManifest, digest);
}

Descriptor entry_of(const std::string& hex) {
    return {.media_type = std::string(media::kOciManifest),
            .digest = Digest::of_sha256(hex),
            .size = 7,
            .platform = {},
            .annotations = {{"k", "v"}},
            .artifact_type = "a/b"};
}

TEST(Referral, IsOfTheManifestsSubjectWithItsTypeAndAnnotations) {
    const std::string text = manifest_with(R"(,"artifactType":"a/b","annotations":{"k":"v"})" +
                                           subject("sha256:" + kHexB));
    const auto found = referral_of(text, Digest::of_sha256(kHexC)).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->subject, "sha256:" + kHexB);
    EXPECT_EQ(found->entry.digest.hex(), kHexC);
    EXPECT_EQ(found->entry.size, text.size());
    EXPECT_EQ(found->entry.media_type, media::kOciManifest);
    EXPECT_EQ(found->entry.artifact_type, "a/b");
    EXPECT_EQ(found->entry.annotations.at("k"), "v");
}

TEST(Referral, WithoutAnArtifactTypeHasThatOfTheConfig) {
    const auto found =
        referral_of(manifest_with(subject("sha512:" + kHexB + kHexB)), Digest::of_sha256(kHexC))
            .value();
    EXPECT_EQ(found->entry.artifact_type, "text/x");
}

TEST(Referral, OfAnIndexHasTheIndexsOwnType) {
    const std::string text =
        fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[]{}}})",
                    media::kOciIndex,
                    subject("sha256:" + kHexB));
    const auto found = referral_of(text, Digest::of_sha256(kHexC)).value();
    EXPECT_EQ(found->entry.media_type, media::kOciIndex);
    EXPECT_EQ(found->entry.artifact_type, "");
}

TEST(Referral, IsNoneWithoutASubjectAndRefusesWhatIsNoDigest) {
    EXPECT_FALSE(referral_of(manifest_with(""), Digest::of_sha256(kHexC)).value());
    for (const char* bad :
         {"x", "sha256:", ":a", "sha256:../x", "SHA256:a", "a:b?c", "v2:stable", "sha256:abc"}) {
        const auto found = referral_of(manifest_with(subject(bad)), Digest::of_sha256(kHexC));
        ASSERT_FALSE(found) << bad;
        EXPECT_EQ(found.error().message,
                  fmt::format(
                      "manifest: subject.digest: \"{}\" is not a digest of sha256 or sha512", bad));
    }
}

TEST(ReferrersTag, IsTheDigestAsATagCutAndReplaced) {
    EXPECT_EQ(referrers_tag("sha256:" + kHexA), "sha256-" + kHexA);
    EXPECT_EQ(referrers_tag("sha512:" + kHexA + kHexB), "sha512-" + kHexA);
    EXPECT_EQ(referrers_tag("a+b:c="), "a-b-c-");
    EXPECT_EQ(referrers_tag(std::string(40, 'x') + ":y"), std::string(32, 'x') + "-y");
}

TEST(Referrers, StartAsAnEmptyIndexAndGrow) {
    const std::string one = add_referrer("", "", entry_of(kHexA)).value().value();
    EXPECT_EQ(
        one,
        fmt::format(
            R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"sha256:{}","size":7,"artifactType":"a/b","annotations":{{"k":"v"}}}}]}})",
            media::kOciIndex,
            media::kOciManifest,
            kHexA));
    const std::string two = add_referrer(one, media::kOciIndex, entry_of(kHexB)).value().value();
    EXPECT_EQ(decode_manifest_or_index(two, {})->index->manifests.size(), 2u);
    EXPECT_FALSE(add_referrer(two, media::kOciIndex, entry_of(kHexA)).value());
}

TEST(Referrers, KeepWhatOthersWroteThere) {
    const std::string before = fmt::format(
        R"({{"schemaVersion":2,"x":{{"y":[1,null,true]}},"manifests":[{{"mediaType":"m","digest":"sha256:{}","size":1,"data":"AA=="}}],"annotations":{{"n":"1"}}}})",
        kHexC);
    const std::string after =
        add_referrer(before, media::kOciIndex, entry_of(kHexA)).value().value();
    EXPECT_NE(after.find(R"("x":{"y":[1,null,true]})"), std::string::npos) << after;
    EXPECT_NE(after.find(R"("data":"AA==")"), std::string::npos) << after;
    EXPECT_NE(after.find(R"("annotations":{"n":"1"})"), std::string::npos) << after;
    const std::string back =
        remove_referrer(after, media::kOciIndex, Digest::of_sha256(kHexA)).value().value();
    EXPECT_NE(back.find(R"("data":"AA==")"), std::string::npos) << back;
    EXPECT_EQ(back.find(kHexA), std::string::npos) << back;
}

TEST(Referrers, LoseAllEntriesOfADigestAndStayAnIndex) {
    const std::string one = add_referrer("", "", entry_of(kHexA)).value().value();
    const std::string none =
        remove_referrer(one, media::kOciIndex, Digest::of_sha256(kHexA)).value().value();
    EXPECT_NE(none.find(R"("manifests":[])"), std::string::npos) << none;
    EXPECT_FALSE(remove_referrer(none, media::kOciIndex, Digest::of_sha256(kHexA)).value());
}

TEST(Referrers, AreNotWrittenOverWhatIsNoIndex) {
    for (const std::string& other :
         {manifest_with(""),
          fmt::format(R"({{"mediaType":"{}","manifests":[]}})", media::kDockerList)}) {
        const auto added = add_referrer(other, "", entry_of(kHexA));
        ASSERT_FALSE(added);
        EXPECT_EQ(added.error().message, "what has the tag of the list of referrers is no index");
        EXPECT_FALSE(remove_referrer(other, "", Digest::of_sha256(kHexA)));
    }
    EXPECT_FALSE(add_referrer("{", "", entry_of(kHexA)));
}

}  // namespace
}  // namespace knarr::spec
