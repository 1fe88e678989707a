#include "cli/volume.h"

#include <gtest/gtest.h>

#include "cli/mount_option.h"

namespace knarr::cli {
namespace {

Errc refusal(std::string_view text) {
    const auto parsed = parse_volume(text);
    EXPECT_FALSE(parsed) << text;
    return parsed ? Errc::internal : parsed.error().code;
}

TEST(Volume, IsWritableAndRecursiveByDefault) {
    const auto parsed = parse_volume("/h:/c");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->volume.source, "/h");
    EXPECT_EQ(parsed->volume.target, "/c");
    EXPECT_FALSE(parsed->volume.read_only);
    EXPECT_TRUE(parsed->volume.recursive);
    EXPECT_TRUE(parsed->warnings.empty());
}

TEST(Volume, OptionsAreTakenOver) {
    const auto parsed = parse_volume("./h:/c:ro,bind,rslave,nosuid,noexec");
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->volume.read_only);
    EXPECT_FALSE(parsed->volume.recursive);
    EXPECT_EQ(parsed->volume.propagation, "rslave");
    EXPECT_EQ(parsed->volume.flags, (std::vector<std::string>{"nosuid", "noexec"}));
}

TEST(Volume, SelinuxLabelsAreWarnedAbout) {
    const auto parsed = parse_volume("/h:/c:z");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->warnings.size(), 1u);
}

TEST(Volume, NamesAndTargetsAloneAreVolumes) {
    const auto named = parse_volume("data:/c:ro,nocopy");
    ASSERT_TRUE(named);
    EXPECT_TRUE(named->volume.kind == VolumeKind::volume && named->volume.no_copy &&
                named->volume.read_only);
    EXPECT_EQ(named->volume.source, "data");
    const auto anonymous = parse_volume("/data");
    ASSERT_TRUE(anonymous);
    EXPECT_EQ(anonymous->volume.kind, VolumeKind::volume);
    EXPECT_EQ(anonymous->volume.source, "");
    EXPECT_EQ(anonymous->volume.target, "/data");
    EXPECT_EQ(parse_volume("/h:/c")->volume.kind, VolumeKind::bind);
    EXPECT_EQ(refusal("/h:/c:nocopy"), Errc::invalid_argument);
    EXPECT_EQ(refusal("data:/c:rshared"), Errc::invalid_argument);
}

TEST(Mount, HasDockersFields) {
    const auto bind = parse_mount("type=bind,src=/h,dst=/c,readonly,bind-propagation=rslave");
    ASSERT_TRUE(bind && bind->volume);
    EXPECT_TRUE(bind->volume->read_only && bind->volume->kind == VolumeKind::bind);
    EXPECT_EQ(bind->volume->propagation, "rslave");
    const auto volume = parse_mount("source=data,target=/c,volume-nocopy=true,volume-label=a=b");
    ASSERT_TRUE(volume && volume->volume);
    EXPECT_TRUE(volume->volume->kind == VolumeKind::volume && volume->volume->no_copy);
    EXPECT_EQ(volume->volume->labels.at("a"), "b");
    EXPECT_FALSE(parse_mount("type=bind,src=/h,dst=/c,bind-recursive=disabled")->volume->recursive);
    const auto tmpfs = parse_mount("type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=700");
    ASSERT_TRUE(tmpfs && tmpfs->tmpfs);
    EXPECT_EQ(tmpfs->tmpfs->options, (std::vector<std::string>{"size=1048576", "mode=700"}));
}

TEST(Mount, WhatIsWrongIsNamed) {
    for (const char* text : {"",
                             "type=bind,target=/c",
                             "type=bind,source=h,target=/c",
                             "type=npipe,target=/c",
                             "target=c",
                             "target=/c,colour=red",
                             "target=/c,readonly=maybe",
                             "type=tmpfs,target=/c,source=/h",
                             "type=tmpfs,target=/c,tmpfs-mode=9",
                             "type=bind,source=/h,target=/c,volume-nocopy=true",
                             "type=bind,source=/h,target=/c,volume-label=a",
                             "type=bind,source=/h,target=/c,bind-propagation=up",
                             "type=bind,source=/h,target=/c,bind-recursive=readonly",
                             "type=bind,source=/h,target=/c,target=/d",
                             "target=/c,volume-label==b"}) {
        const auto mount = parse_mount(text);
        ASSERT_FALSE(mount) << text;
        EXPECT_NE(mount.error().message.find("--mount"), std::string::npos);
    }
}

TEST(Volume, MalformedOnesAreRefused) {
    EXPECT_EQ(refusal("/h:c"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:"), Errc::invalid_argument);
    EXPECT_EQ(refusal(":/c"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:/c:ro:x"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:/c:readonly"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:/c:"), Errc::invalid_argument);
}

}  // namespace
}  // namespace knarr::cli
