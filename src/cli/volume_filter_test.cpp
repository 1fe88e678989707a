#include "cli/volume_filter.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

engine::VolumeInfo volume() {
    return {.name = "data",
            .mountpoint = "/r/volumes/data/_data",
            .created = "2026-01-02T03:04:05Z",
            .labels = {{"tier", "db"}}};
}

bool chosen(std::vector<std::string_view> texts, bool used = false) {
    const auto filters = parse_volume_filters(texts);
    EXPECT_TRUE(filters) << texts.front();
    return filters && fits_all(volume(), used, *filters);
}

TEST(VolumeFilter, ChoosesAsDockerDoes) {
    EXPECT_TRUE(chosen({"name=at"}));
    EXPECT_FALSE(chosen({"name=xx"}));
    EXPECT_TRUE(chosen({"name=xx", "name=da"}));   // alternatives
    EXPECT_FALSE(chosen({"name=da", "label=x"}));  // both kinds
    EXPECT_TRUE(chosen({"label=tier"}));
    EXPECT_TRUE(chosen({"label=tier=db"}));
    EXPECT_FALSE(chosen({"label=tier=web"}));
    EXPECT_FALSE(chosen({"label=tier", "label=other"}));
    EXPECT_TRUE(chosen({"driver=local"}));
    EXPECT_FALSE(chosen({"driver=nfs"}));
    EXPECT_TRUE(chosen({"dangling=true"}));
    EXPECT_FALSE(chosen({"dangling=1"}, true));
    EXPECT_TRUE(chosen({"dangling=false"}, true));
}

TEST(VolumeFilter, WhatIsNoneIsRefused) {
    for (const char* text : {"", "name", "name=", "colour=red", "dangling=maybe", "label!=x"}) {
        EXPECT_FALSE(parse_volume_filters({text})) << text;
    }
    EXPECT_TRUE(asks_for_users(*parse_volume_filters({"dangling=0"})));
    EXPECT_FALSE(asks_for_users(*parse_volume_filters({"name=x"})));
}

TEST(VolumeJson, HasDockersShape) {
    EXPECT_EQ(volume_json(volume()),
              R"({"CreatedAt":"2026-01-02T03:04:05Z","Driver":"local","Labels":{"tier":"db"},)"
              R"("Mountpoint":"/r/volumes/data/_data","Name":"data","Options":null,)"
              R"("Scope":"local"})");
    engine::VolumeInfo bare = volume();
    bare.labels.clear();
    EXPECT_NE(volume_json(bare).find(R"("Labels":null)"), std::string::npos);
    bare.anonymous = true;
    EXPECT_NE(volume_json(bare).find(R"("Labels":{"com.docker.volume.anonymous":""})"),
              std::string::npos);
    EXPECT_NE(volume_line_json(volume()).find(R"("Labels":"tier=db")"), std::string::npos);
}

}  // namespace
}  // namespace knarr::cli
