#include "engine/notify.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

TEST(Notify, OnlyReadinessIsPassedOn) {
    EXPECT_EQ(ready_message("READY=1", {}), "READY=1");
    EXPECT_EQ(ready_message("STATUS=up\nREADY=1\nMAINPID=1\n", {}), "READY=1");
    for (const char* other : {"", "STATUS=READY=1", "READY=0", "READY=10", "MAINPID=1", "\n\n"}) {
        EXPECT_FALSE(ready_message(other, {})) << other;
    }
}

TEST(Notify, TheMainProcessIsTheHostsPidAndNotWhatTheProgramSays) {
    EXPECT_EQ(ready_message("MAINPID=1\nREADY=1", 4711), "MAINPID=4711\nREADY=1");
}

TEST(Notify, TheProgramFindsItsSocketBelowTheCallersPath) {
    spec::RuntimeConfig config;
    config.process.emplace().env = {"A=1", "NOTIFY_SOCKET=/old"};
    add_notify(config, "/run/systemd/notify", "/run/knarr/web/notify");
    EXPECT_EQ(config.process->env,
              (std::vector<std::string>{"A=1", "NOTIFY_SOCKET=/run/systemd/notify/notify"}));
    ASSERT_EQ(config.mounts.size(), 1U);
    EXPECT_EQ(config.mounts[0].destination, "/run/systemd/notify");
    EXPECT_EQ(config.mounts[0].source, "/run/knarr/web/notify");
    EXPECT_EQ(notify_directory("@/org/abstract"), "/run/notify");
}

}  // namespace
}  // namespace knarr::engine
