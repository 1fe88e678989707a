#include "cli/container_filter.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

ContainerInfo container(std::string id, std::string name, ContainerState state) {
    ContainerInfo info;
    info.id = std::move(id);
    info.name = std::move(name);
    info.state = state;
    info.image = "docker.io/library/busybox:1.36";
    info.created = "2026-01-01T00:00:0" + info.id.substr(0, 1) + ".000000000Z";
    return info;
}

std::string chosen(const std::vector<std::string_view>& texts) {
    std::vector<ContainerInfo> all{container("1aa", "web", ContainerState::running),
                                   container("2bb", "web-2", ContainerState::stopped),
                                   container("3cc", "db", ContainerState::created)};
    all[0].labels = {{"tier", "front"}, {"env", "x"}};
    all[1].labels = {{"tier", "front"}};
    all[1].exit_code = 3;
    all[0].health = HealthReport{.status = HealthStatus::unhealthy};
    const auto filter = ContainerFilter::parse(texts, 1'767'225'600 + 3600);
    EXPECT_TRUE(filter) << filter.error().message;
    std::string out;
    for (const ContainerInfo& one : all) {
        out += filter && filter->fits(one, all) ? one.id.substr(0, 1) : "";
    }
    return out;
}

TEST(ContainerFilter, ChoosesByMountsAndNetwork) {
    const ContainerDetails details{.sources = {"data"}, .targets = {"/d"}, .network = "none"};
    const auto fits = [&](std::string_view text, const ContainerDetails* known) {
        const auto filter = ContainerFilter::parse({text}, 0);
        EXPECT_TRUE(filter && filter->asks_for_details());
        const std::vector all{container("1aa", "web", ContainerState::running)};
        return filter && filter->fits(all.front(), all, known);
    };
    EXPECT_TRUE(fits("volume=data", &details) && fits("volume=/d", &details));
    EXPECT_TRUE(fits("network=none", &details));
    EXPECT_FALSE(fits("volume=dat", &details) || fits("network=host", &details));
    EXPECT_FALSE(fits("network=none", nullptr));
}

TEST(ContainerFilter, ChoosesByTheImagesIdWhereThatIsKnown) {
    ContainerDetails details;
    details.image_id = "sha256:0123456789abcdef";
    const auto fits = [&](std::string_view text, const ContainerDetails* known) {
        const auto filter = ContainerFilter::parse({text}, 0);
        const std::vector all{container("1aa", "web", ContainerState::running)};
        EXPECT_TRUE(filter && filter->asks_for_details() && filter->may_fit(all.front(), all));
        return filter && filter->fits(all.front(), all, known);
    };
    EXPECT_TRUE(fits("ancestor=0123456789ab", &details));
    EXPECT_TRUE(fits("ancestor=sha256:0123456789abcdef", &details));
    EXPECT_FALSE(fits("ancestor=0123456789ac", &details));
    EXPECT_FALSE(fits("ancestor=123456789abc", &details)) << "its beginning alone";
    EXPECT_FALSE(fits("ancestor=0123456789ab", nullptr));
}

TEST(ContainerFilter, LetsThroughWhatMountsAndNetworkAreYetToDecide) {
    const std::vector all{container("1aa", "web", ContainerState::running)};
    const auto filter = ContainerFilter::parse({"name=web", "volume=data"}, 0);
    ASSERT_TRUE(filter);
    EXPECT_TRUE(filter->may_fit(all.front(), all));
    const auto another = ContainerFilter::parse({"name=db", "volume=data"}, 0);
    ASSERT_TRUE(another);
    EXPECT_FALSE(another->may_fit(all.front(), all));
}

TEST(ContainerFilter, ChoosesByWhatContainersAre) {
    EXPECT_EQ(chosen({}), "123");
    EXPECT_EQ(chosen({"name=web"}), "12");
    EXPECT_EQ(chosen({"name=^/web$"}), "1");
    EXPECT_EQ(chosen({"id=^2"}), "2");
    EXPECT_EQ(chosen({"status=exited"}), "2");
    EXPECT_EQ(chosen({"status=exited", "status=created"}), "23");
    EXPECT_EQ(chosen({"exited=3"}), "2");
    EXPECT_EQ(chosen({"health=unhealthy"}), "1");
    EXPECT_EQ(chosen({"health=none"}), "23");
    EXPECT_EQ(chosen({"exited=0"}), "");
    EXPECT_EQ(chosen({"label=tier"}), "12");
    EXPECT_EQ(chosen({"label=tier=front", "label=env"}), "1");
    EXPECT_EQ(chosen({"label=tier=back"}), "");
    EXPECT_EQ(chosen({"ancestor=busybox"}), "123");
    EXPECT_EQ(chosen({"ancestor=busybox:1.36"}), "123");
    EXPECT_EQ(chosen({"ancestor=busybox:2"}), "");
    EXPECT_EQ(chosen({"ancestor=docker.io/library/busybox:1.36"}), "123");
    EXPECT_EQ(chosen({"ancestor=library/busybox"}), "123");
    EXPECT_EQ(chosen({"before=2bb"}), "1");
    EXPECT_EQ(chosen({"since=web-2"}), "3");
    EXPECT_EQ(chosen({"name=web", "status=running"}), "1");
    EXPECT_EQ(chosen({"until=10m"}), "123");
    EXPECT_EQ(chosen({"until=2h"}), "");
}

TEST(ContainerFilter, NamesOfContainersMustBeThere) {
    const std::vector<ContainerInfo> all{container("1aa", "web", ContainerState::running)};
    EXPECT_TRUE(ContainerFilter::parse({"before=web", "since=1aa"}, 0)->check_names(all));
    const auto missing = ContainerFilter::parse({"since=wbe"}, 0)->check_names(all);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Errc::not_found);
    EXPECT_NE(missing.error().message.find("wbe"), std::string::npos);
}

TEST(ContainerFilter, WhatIsNoFilterIsNamed) {
    for (const char* text :
         {"name", "colour=red", "status=up", "health=bad", "exited=x", "id=(", "until=soon"}) {
        const auto filter = ContainerFilter::parse({text}, 0);
        ASSERT_FALSE(filter) << text;
        EXPECT_EQ(filter.error().code, Errc::invalid_argument);
        const std::string_view key =
            std::string_view(text).substr(0, std::string_view(text).find('='));
        EXPECT_NE(filter.error().message.find(key), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace knarr::cli
