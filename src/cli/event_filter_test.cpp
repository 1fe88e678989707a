#include "cli/event_filter.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

LifecycleEvent die() {
    LifecycleEvent event;
    event.time = "2026-11-23T00:53:50.000000007Z";
    event.action = "die";
    event.id = "0123456789ab";
    event.attributes = {{"exitCode", "3"},
                        {"image", "docker.io/library/box:1"},
                        {"name", "web"},
                        {"com.example.tier", "front"}};
    return event;
}

TEST(EventFilter, TakesOneValueOfEachName) {
    const LifecycleEvent event = die();
    const auto takes = [&](const std::vector<std::string_view>& texts) {
        return EventFilter::parse(texts)->takes(event);
    };
    EXPECT_TRUE(takes({}));
    EXPECT_TRUE(takes({"container=web"}));
    EXPECT_TRUE(takes({"container=0123"}));
    EXPECT_FALSE(takes({"container=0"})) << "one digit is no beginning of an ID";
    EXPECT_TRUE(takes({"container=other", "container=web"}));
    EXPECT_FALSE(takes({"container=web", "event=start"}));
    EXPECT_TRUE(takes({"container=web", "event=start", "event=die", "type=container"}));
    EXPECT_TRUE(takes({"image=box"}));
    EXPECT_TRUE(takes({"image=box:1"}));
    EXPECT_TRUE(takes({"image=docker.io/library/box"}));
    EXPECT_TRUE(takes({"image=docker.io/library/box:1"}));
    EXPECT_FALSE(takes({"image=bo"}));
    EXPECT_FALSE(takes({"image=box:2"}));
    EXPECT_TRUE(takes({"label=com.example.tier"}));
    EXPECT_TRUE(takes({"label=com.example.tier=front"}));
    EXPECT_FALSE(takes({"label=com.example.tier=back"}));
    EXPECT_FALSE(takes({"type=image"}));
    EXPECT_TRUE(takes({"scope=local"}));
    for (const char* bad : {"web", "color=red", "=x"}) {
        EXPECT_FALSE(EventFilter::parse({bad})) << bad;
    }
}

TEST(EventFilter, AGapIsAlwaysTold) {
    LifecycleEvent gap;
    gap.time = "2026-11-23T00:53:50.000000000Z";
    gap.lost = 5;
    EXPECT_TRUE(EventFilter::parse({"container=web"})->takes(gap));
    EXPECT_EQ(lifecycle_text(gap),
              "2026-11-23T00:53:50.000000000Z knarr lost 5 events: this reader was too slow");
    EXPECT_NE(lifecycle_json(gap).find(R"("Type":"knarr","Action":"lost")"), std::string::npos);
}

TEST(History, HasDockersShapes) {
    EXPECT_EQ(lifecycle_text(die()),
              "2026-11-23T00:53:50.000000007Z container die 0123456789ab "
              "(com.example.tier=front, exitCode=3, image=docker.io/library/box:1, name=web)");
    EXPECT_EQ(
        lifecycle_json(die()),
        R"({"status":"die","id":"0123456789ab","from":"docker.io/library/box:1",)"
        R"("Type":"container","Action":"die","Actor":{"ID":"0123456789ab","Attributes":)"
        R"({"com.example.tier":"front","exitCode":"3","image":"docker.io/library/box:1",)"
        R"("name":"web"}},"scope":"local","time":1795395230,"timeNano":1795395230000000007})");
}

}  // namespace
}  // namespace knarr::cli
