#include "cli/run_options.h"

#include <gtest/gtest.h>

#include "cli/run_way.h"

namespace knarr::cli {
namespace {

using Words = std::vector<std::string_view>;

Parsed parsed(const Words& words) {
    auto out = parse(run_options(), words, {.options_until = 1});
    EXPECT_TRUE(out) << out.error().message;
    return out.value_or(Parsed{});
}

RunWay way(const Words& words, Here here) {
    const auto out = which_run(parsed(words), here);
    EXPECT_TRUE(out);
    return out.value_or(RunWay::image);
}

TEST(WhichRun, ABundleOptionMeansTheBundle) {
    EXPECT_EQ(way({"--bundle", "/b", "web"}, Here::no_bundle), RunWay::bundle);
    EXPECT_EQ(way({"--pid-file", "/p", "web"}, Here::no_bundle), RunWay::bundle);
}

TEST(WhichRun, OneNameInABundlesDirectoryMeansTheBundle) {
    EXPECT_EQ(way({"web"}, Here::bundle), RunWay::bundle);
    EXPECT_EQ(way({"-d", "web"}, Here::bundle), RunWay::bundle);
    EXPECT_EQ(way({"web"}, Here::no_bundle), RunWay::image);
}

TEST(WhichRun, ABrokenBundleIsNoImage) {
    EXPECT_EQ(way({"web"}, Here::broken_bundle), RunWay::bundle);
    EXPECT_EQ(way({"web", "sh"}, Here::broken_bundle), RunWay::image);
}

TEST(WhichRun, ACommandOrAnImageOptionMeansTheImage) {
    EXPECT_EQ(way({"web", "sh"}, Here::bundle), RunWay::image);
    EXPECT_EQ(way({"--rm", "web"}, Here::bundle), RunWay::image);
    EXPECT_EQ(way({"-e", "A=1", "web"}, Here::bundle), RunWay::image);
}

TEST(WhichRun, OptionsOfBothAreRefused) {
    const auto out = which_run(parsed({"--rm", "--bundle", "/b", "web"}), Here::no_bundle);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::invalid_argument);
    EXPECT_NE(out.error().message.find("--rm"), std::string::npos);
}

TEST(RunFront, IsTheCallersOwnWhereNothingIsToBeKept) {
    const auto front = [](const Words& words) {
        const auto out = parse_run(parsed(words));
        EXPECT_TRUE(out) << out.error().message;
        return out ? out->front : RunFront::nobody;
    };
    unsetenv("NOTIFY_SOCKET");
    EXPECT_EQ(front({"-d", "img"}), RunFront::nobody);
    EXPECT_EQ(front({"img"}), RunFront::attached);
    EXPECT_EQ(front({"--rm", "-t", "img"}), RunFront::attached);
    EXPECT_EQ(front({"--rm", "img"}), RunFront::direct);
    EXPECT_EQ(front({"--rm", "--no-healthcheck", "img"}), RunFront::direct);
    EXPECT_EQ(front({"--log-driver", "none", "img"}), RunFront::direct);
    EXPECT_EQ(front({"--rm", "--sig-proxy=false", "img"}), RunFront::attached);
    EXPECT_EQ(front({"--rm", "--health-cmd", "x", "img"}), RunFront::attached);
    setenv("NOTIFY_SOCKET", "/run/manager", 1);
    EXPECT_EQ(front({"img"}), RunFront::direct);
    EXPECT_EQ(front({"--restart", "always", "img"}), RunFront::attached);
    unsetenv("NOTIFY_SOCKET");
    const auto refused = parse_run(parsed({"--log-driver", "none", "--restart", "always", "img"}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
}

TEST(RunOptions, WhatFollowsTheImageIsTheContainers) {
    const Words words{"--rm", "busybox", "ls", "--rm", "-e", "--", "-h"};
    const auto out = parse_run(parsed(words));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->request.image, "busybox");
    EXPECT_EQ(out->request.command, (std::vector<std::string>{"ls", "--rm", "-e", "--", "-h"}));
    EXPECT_TRUE(out->request.env.empty());
}

TEST(RunOptions, ANameWithoutValueTakesTheCallersVariable) {
    setenv("KNARR_TEST_SET", "own", 1);
    unsetenv("KNARR_TEST_UNSET");
    const Words words{"-e", "KNARR_TEST_SET", "-e", "KNARR_TEST_UNSET", "-e", "A=B=C", "img"};
    const auto out = parse_run(parsed(words));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->request.env, (std::vector<std::string>{"KNARR_TEST_SET=own", "A=B=C"}));
}

TEST(RunOptions, AnEmptyEntrypointResetsTheImages) {
    EXPECT_EQ(parse_run(parsed({"img"}))->request.entrypoint, std::nullopt);
    EXPECT_EQ(parse_run(parsed({"--entrypoint=", "img"}))->request.entrypoint,
              std::vector<std::string>{});
    EXPECT_EQ(parse_run(parsed({"--entrypoint", "/x y", "img"}))->request.entrypoint,
              std::vector<std::string>{"/x y"});
}

TEST(RunOptions, LimitsAreParsedStrictly) {
    const Words words{"-m", "64m", "--cpus", "1.5", "--pids-limit=-1", "img"};
    const auto out = parse_run(parsed(words));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->request.memory_bytes, 64 << 20);
    EXPECT_EQ(out->request.cpu_quota_us, 150'000);
    EXPECT_EQ(out->request.pids_limit, -1);
    const Words unlimited{"-m", "0", "img"};
    const auto none = parse_run(parsed(unlimited));
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->request.memory_bytes);
    for (const Words& bad : {Words{"-m", "64q", "img"},
                             Words{"--pids-limit", "many", "img"},
                             Words{"--pids-limit", "-2", "img"},
                             Words{"--pull", "now", "img"},
                             Words{"--isolation", "jail", "img"},
                             Words{"-e", "=x", "img"},
                             Words{"-v", "/h:c", "img"}}) {
        const auto refused = parse_run(parsed(bad));
        ASSERT_FALSE(refused) << bad[0] << " " << bad[1];
        EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    }
}

TEST(RunOptions, WhatIsNotBuiltIsSaid) {
    for (const Words& words : {Words{"--network", "bridge", "img"},
                               Words{"--mount", "dst=/d,volume-driver=nfs", "img"}}) {
        const auto refused = parse_run(parsed(words));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::unsupported);
        EXPECT_FALSE(refused.error().hint.empty());
    }
}

TEST(RunOptions, ATerminalIsAskedForInDockersSpellings) {
    for (const Words& words : {Words{"-t", "img"}, Words{"-it", "img"}, Words{"--tty", "img"}}) {
        EXPECT_TRUE(parse_run(parsed(words)).value().request.terminal);
    }
    EXPECT_FALSE(parse_run(parsed({"-i", "img"})).value().request.terminal);
}

TEST(Cpus, AreMicrosecondsOfATenthOfASecond) {
    EXPECT_EQ(parse_cpus("1").value(), 100'000);
    EXPECT_EQ(parse_cpus("0.5").value(), 50'000);
    EXPECT_EQ(parse_cpus(".25").value(), 25'000);
    EXPECT_EQ(parse_cpus("2.").value(), 200'000);
    EXPECT_EQ(parse_cpus("0.01").value(), 1'000);
    EXPECT_EQ(parse_cpus("1.123456789").value(), 112'345);
    for (const auto* bad :
         {"", ".", "0", "0.009", "-1", "1e3", "1.5x", "x", "1.2.3", "9999", "1,5", "nan"}) {
        EXPECT_FALSE(parse_cpus(bad)) << bad;
    }
}

}  // namespace
}  // namespace knarr::cli
