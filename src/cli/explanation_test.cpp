#include "cli/explanation.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

ContainerInfo ended(std::optional<int> code) {
    ContainerInfo info;
    info.id = "c1";
    info.image = "box";
    info.state = ContainerState::stopped;
    info.exit_code = code;
    info.started = info.finished = "2026-11-23T00:53:50.000000000Z";
    return info;
}

std::string all(const Explanation& told) {
    std::string out = told.what;
    for (const std::string& line : told.why) {
        out += "\n" + line;
    }
    for (const std::string& line : told.next) {
        out += "\n" + line;
    }
    return out;
}

TEST(Explanation, SaysWhatAnExitCodeMeans) {
    EXPECT_EQ(meaning_of(0), "");
    EXPECT_EQ(meaning_of(3), "");
    EXPECT_NE(meaning_of(127).find("not there"), std::string::npos);
    EXPECT_NE(meaning_of(139).find("SEGV"), std::string::npos);
    EXPECT_NE(meaning_of(159).find("seccomp"), std::string::npos);
    EXPECT_EQ(meaning_of(255), "");
}

TEST(Explanation, SaysWhichStepOfALaunchFailedAndWhatWasUndone) {
    const LaunchFailure failure{.id = "c1",
                                .name = "web",
                                .image = "box",
                                .time = "2026-11-23T00:53:50.000000000Z",
                                .error = "working directory: chdir /x: Not a directory",
                                .hint = "name another one"};
    const Explanation gone = explain(failure);
    EXPECT_TRUE(gone.what.ends_with("step: working directory")) << gone.what;
    EXPECT_EQ(gone.why, std::vector<std::string>{"chdir /x: Not a directory"});
    EXPECT_NE(gone.undone.find("all"), std::string::npos);
    EXPECT_EQ(gone.next.front(), "name another one");
    ContainerInfo info = ended(0);
    info.failure = failure;
    const Explanation stays = explain(info);
    EXPECT_EQ(stays.what, gone.what);
    EXPECT_NE(stays.undone.find("log stay"), std::string::npos);
    EXPECT_NE(all(stays).find("before that it ran"), std::string::npos);
    EXPECT_NE(all(stays).find("knarr start c1"), std::string::npos);
    info.failure.reset();
    EXPECT_EQ(explain(info).undone, "");
}

TEST(Explanation, SaysWhoKnowsHowOneOfABundleEnded) {
    ContainerInfo info;
    info.id = "c1";
    info.bundle = "/bundle";
    info.state = ContainerState::stopped;
    const Explanation told = explain(info);
    EXPECT_EQ(told.what, "it has ended");
    EXPECT_NE(all(told).find("its parent"), std::string::npos) << all(told);
    EXPECT_EQ(told.next, std::vector<std::string>{"knarr rm c1 removes it"});
}

TEST(Explanation, SaysWhyAndWhatNext) {
    ContainerInfo info = ended(137);
    info.oom_killed = true;
    info.restarting = true;
    info.restart_count = 4;
    info.restart.mode = RestartMode::always;
    info.trouble = "no space";
    info.log_dir = "/x";
    const std::string text = all(explain(info));
    for (const char* part : {"exit code 137",
                             "KILL",
                             "want of memory",
                             "--memory",
                             "run again",
                             "4 times",
                             "always",
                             "no space",
                             "knarr logs",
                             "--restart no"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    }
    EXPECT_NE(all(explain(ended(std::nullopt))).find("nobody saw"), std::string::npos);
    ContainerInfo damaged;
    damaged.id = "c2";
    damaged.damage = "state.json: line 1";
    EXPECT_NE(all(explain(damaged)).find("recover --force"), std::string::npos);
    ContainerInfo paused = ended(0);
    paused.state = ContainerState::paused;
    EXPECT_EQ(explain(paused).next, std::vector<std::string>{"knarr unpause c1"});
}

}  // namespace
}  // namespace knarr::cli
