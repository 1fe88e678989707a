#include "cli/ps_containers.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;  // 2023-11-14T22:13:20Z

ContainerInfo container(std::string id, ContainerState state = ContainerState::running) {
    ContainerInfo info;
    info.id = std::move(id);
    info.image = "docker.io/library/busybox:latest";
    info.state = state;
    info.created = "2023-11-14T22:08:20.000000000Z";
    return info;
}

TEST(PsContainers, IdsAreShortUnlessTheyWouldBeTheSame) {
    const std::vector all{
        container("0123456789abXX"), container("fedcba987654yy"), container("0123456789abYY")};
    EXPECT_EQ(short_ids(all),
              (std::vector<std::string>{"0123456789abX", "fedcba987654", "0123456789abY"}));
    ContainerInfo chosen = container("a-long-name-that-somebody-chose");
    chosen.image.clear();
    EXPECT_EQ(short_ids({chosen}).front(), chosen.id);
}

TEST(PsContainers, StatusIsInDockersWords) {
    ContainerInfo info = container("a");
    info.started = "2023-11-14T22:08:20.5Z";
    EXPECT_EQ(status_text(info, kNow), "Up 5 minutes");
    info.state = ContainerState::paused;
    EXPECT_EQ(status_text(info, kNow), "Up 5 minutes (Paused)");
    info.started = "2023-11-14T22:13:21Z";
    info.state = ContainerState::running;
    EXPECT_EQ(status_text(info, kNow), "Up Less than a second");
    for (const char* moment : {"2023-11-14T22:13:20.5Z", "1970-01-01T00:00:00Z", "no time"}) {
        info.started = moment;
        EXPECT_EQ(status_text(info, kNow), "Up Less than a second") << moment;
    }
    info.state = ContainerState::stopped;
    info.exit_code = 137;
    info.finished = "2023-11-14T22:12:20Z";
    EXPECT_TRUE(status_text(info, kNow).starts_with("Exited (137) ")) << status_text(info, kNow);
    info.exit_code.reset();
    EXPECT_TRUE(status_text(info, kNow).starts_with("Exited (?) "));
    EXPECT_EQ(status_text(container("b", ContainerState::created), kNow), "Created");
}

TEST(PsContainers, JsonHasDockersMembers) {
    ContainerInfo info = container("0123456789abcdef");
    info.command = {"sleep", "<9>"};
    info.name = "web";
    const std::string json = ps_json(info, {.id = "0123456789ab", .image = "busybox"}, kNow);
    for (const char* part : {R"("ID":"0123456789ab")",
                             R"("Names":"web")",
                             R"("Image":"busybox")",
                             R"("State":"running")",
                             R"("Command":"\"sleep <9>\"")",
                             R"("Status":"Up 5 minutes")"}) {
        EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
    }
}

}  // namespace
}  // namespace knarr::cli
