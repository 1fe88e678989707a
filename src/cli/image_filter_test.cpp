#include "cli/image_filter.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

ImageSummary image(std::string id, std::vector<std::string> references, std::string created) {
    return {.id = "sha256:" + std::move(id),
            .references = std::move(references),
            .created = std::move(created)};
}

std::vector<ImageSummary> some() {
    std::vector<ImageSummary> all{
        image("aa11",
              {"docker.io/library/debian:12", "docker.io/library/debian:13"},
              "2026-01-01T00:00:00Z"),
        image("bb22", {"localhost/box:latest"}, "2026-02-01T00:00:00Z"),
        image("cc33", {"sha256:0123"}, "2026-03-01T00:00:00Z")};
    all[1].labels = {{"tier", "web"}};
    return all;
}

std::vector<std::string> names(std::string_view name, const std::vector<std::string_view>& texts) {
    const auto filter = ImageFilter::parse(name, texts, 1'800'000'000);
    EXPECT_TRUE(filter) << filter.error().message;
    const std::vector<ImageSummary> all = some();
    const auto chosen = filter->chosen(all);
    EXPECT_TRUE(chosen) << chosen.error().message;
    std::vector<std::string> out;
    for (const ImageSummary& one : *chosen) {
        out.insert(out.end(), one.references.begin(), one.references.end());
    }
    return out;
}

using Names = std::vector<std::string>;

TEST(ImageFilter, ANameShowsItsTagsAlone) {
    EXPECT_EQ(names("debian", {}).size(), 2U);
    EXPECT_EQ(names("debian:13", {}), Names{"docker.io/library/debian:13"});
    EXPECT_EQ(names("docker.io/library/debian", {}).size(), 2U);
    EXPECT_EQ(names("box", {}), Names{"localhost/box:latest"});
    EXPECT_EQ(names("deb", {}), Names{});
}

TEST(ImageFilter, PatternsAreAlternativesAndStandForNoSlash) {
    EXPECT_EQ(names("", {"reference=deb*"}).size(), 2U);
    EXPECT_EQ(names("", {"reference=deb*:13", "reference=box"}).size(), 2U);
    EXPECT_EQ(names("", {"reference=docker*"}), Names{});
    EXPECT_EQ(names("", {"reference=docker.io/*/*"}).size(), 2U);
}

TEST(ImageFilter, KindsMustAllFit) {
    EXPECT_EQ(names("", {"dangling=true"}), Names{"sha256:0123"});
    EXPECT_EQ(names("", {"dangling=false", "label=tier"}), Names{"localhost/box:latest"});
    EXPECT_EQ(names("", {"label=tier=web"}), Names{"localhost/box:latest"});
    EXPECT_EQ(names("", {"label=tier=db"}), Names{});
    EXPECT_EQ(names("", {"before=box"}).size(), 2U);
    EXPECT_EQ(names("", {"since=debian:12", "before=cc33"}), Names{"localhost/box:latest"});
    EXPECT_EQ(names("", {"until=1h"}).size(), 4U);
}

TEST(ImageFilter, WhatIsNotKnownIsRefused) {
    for (const std::string_view text : {"x", "reference", "reference=", "dangling=maybe", "id=1"}) {
        const auto filter = ImageFilter::parse("", {text}, 0);
        ASSERT_FALSE(filter) << text;
        EXPECT_EQ(filter.error().code, Errc::invalid_argument);
    }
    const auto nobody = ImageFilter::parse("", {"before=nobody"}, 0);
    ASSERT_TRUE(nobody);
    EXPECT_EQ(nobody->chosen(some()).error().code, Errc::image_not_found);
}

}  // namespace
}  // namespace knarr::cli
