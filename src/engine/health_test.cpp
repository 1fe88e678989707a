#include "engine/health.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using std::literals::chrono_literals::operator""ms, std::literals::chrono_literals::operator""s;

spec::ImageHealthcheck of_image(std::vector<std::string> test) {
    return {.test = std::move(test)};
}

HealthCheck check_of(const HealthRequest& request) {
    return choose_health_check(request, nullptr).value().value();
}

ProbeResult ended(int code) {
    return {.start = "a", .end = "b", .exit_code = code, .output = "text\n"};
}

TEST(HealthCheck, IsTheCallersThenTheImagesThenTheDefault) {
    spec::ImageHealthcheck image = of_image({"CMD", "probe", "-x"});
    image.interval = 5'000'000'000;
    image.retries = 7;
    const auto whole = choose_health_check({}, &image).value();
    EXPECT_EQ(whole->command, (std::vector<std::string>{"probe", "-x"}));
    EXPECT_EQ(whole->interval, 5s);
    EXPECT_EQ(whole->timeout, 30s);
    EXPECT_EQ(whole->start_period, 0s);
    EXPECT_EQ(whole->start_interval, 5s);
    EXPECT_EQ(whole->retries, 7U);
    HealthRequest request;
    request.shell = "test -e /ok";
    request.interval = 0ms;  // not said, as docker has it
    request.timeout = 250ms;
    request.retries = 2;
    const auto mixed = choose_health_check(request, &image).value();
    EXPECT_EQ(mixed->command, (std::vector<std::string>{"/bin/sh", "-c", "test -e /ok"}));
    EXPECT_EQ(mixed->interval, 5s);
    EXPECT_EQ(mixed->timeout, 250ms);
    EXPECT_EQ(mixed->retries, 2U);
    image = of_image({"CMD-SHELL", "true"});
    EXPECT_EQ(choose_health_check({}, &image).value()->command.back(), "true");
}

TEST(HealthCheck, OfAnImageIsNotMadeMoreOftenThanEachSecond) {
    spec::ImageHealthcheck image = of_image({"CMD", "x"});
    image.interval = image.start_interval = image.timeout = 1'000'000;
    const auto often = choose_health_check({}, &image).value();
    EXPECT_EQ(often->interval, 1s);
    EXPECT_EQ(often->start_interval, 1s);
    EXPECT_EQ(often->timeout, 1ms);
    HealthRequest request;
    request.interval = 50ms;
    EXPECT_EQ(choose_health_check(request, &image).value()->interval, 50ms);
}

TEST(HealthCheck, IsNoneWhereNobodySaysOneOrSomebodySaysNo) {
    const spec::ImageHealthcheck none = of_image({"NONE"}), inherits = of_image({});
    const spec::ImageHealthcheck some = of_image({"CMD", "x"});
    EXPECT_FALSE(choose_health_check({}, nullptr).value());
    EXPECT_FALSE(choose_health_check({}, &none).value());
    EXPECT_FALSE(choose_health_check({}, &inherits).value());
    HealthRequest disabled;
    disabled.disabled = true;
    EXPECT_FALSE(choose_health_check(disabled, &some).value());
}

TEST(HealthCheck, OfAnImageThatCannotBeIsRefused) {
    for (const spec::ImageHealthcheck& bad :
         {of_image({"RUN", "x"}),
          of_image({"CMD"}),
          of_image({"CMD-SHELL"}),
          of_image({"CMD-SHELL", "a", "b"}),
          spec::ImageHealthcheck{.test = {"CMD", "x"}, .interval = 5},
          spec::ImageHealthcheck{.test = {"CMD", "x"}, .timeout = -1},
          spec::ImageHealthcheck{.test = {"CMD", "x"}, .start_period = INT64_MAX},
          spec::ImageHealthcheck{.test = {"CMD", "x"}, .retries = -1}}) {
        const auto refused = choose_health_check({}, &bad);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::invalid_image);
    }
}

TEST(Health, TurnsAfterSoManyFailuresInARowAndBackAtOnce) {
    HealthRequest request;
    request.shell = "x";
    request.retries = 3;
    const HealthCheck check = check_of(request);
    HealthState state;
    step(state, check, ended(1), 10);
    step(state, check, ended(1), 20);
    EXPECT_EQ(state.status, HealthStatus::starting);
    step(state, check, ended(0), 30);
    EXPECT_EQ(state.status, HealthStatus::healthy);
    EXPECT_EQ(state.failing_streak, 0U);
    for (const unsigned streak : {1U, 2U}) {
        step(state, check, ended(-1), 40);
        EXPECT_EQ(state.status, HealthStatus::healthy);
        EXPECT_EQ(state.failing_streak, streak);
    }
    step(state, check, ended(2), 50);
    EXPECT_EQ(state.status, HealthStatus::unhealthy);
    EXPECT_EQ(state.log.size(), kMaxProbeLog) << "the oldest is dropped";
    step(state, check, ended(0), 60);
    EXPECT_EQ(state.status, HealthStatus::healthy);
}

TEST(Health, FailuresOfTheStartPeriodDoNotCountAndASuccessEndsIt) {
    HealthRequest request;
    request.shell = "x";
    request.start_period = 60s;
    request.retries = 1;
    const HealthCheck check = check_of(request);
    HealthState state;
    step(state, check, ended(1), 30'000);
    EXPECT_EQ(state.status, HealthStatus::starting);
    EXPECT_EQ(state.failing_streak, 0U);
    EXPECT_EQ(probe_pause_ms(check, state.status, 30'000), 5'000);
    HealthState other = state;
    step(other, check, ended(1), 60'000);
    EXPECT_EQ(other.status, HealthStatus::unhealthy);
    step(state, check, ended(0), 31'000);
    EXPECT_EQ(probe_pause_ms(check, state.status, 31'000), 30'000);
    step(state, check, ended(1), 32'000);
    EXPECT_EQ(state.status, HealthStatus::unhealthy) << "the period is over";
}

TEST(Health, IsReadAsItWasWritten) {
    HealthState state{.pid = 7, .start_ticks = 1ULL << 40, .log = {ended(3)}};
    state.status = HealthStatus::unhealthy;
    state.failing_streak = 4;
    state.log.front().output = "\xff\"\n";
    const HealthState again = decode_health(encode_health(state)).value();
    EXPECT_EQ(again.pid, 7);
    EXPECT_EQ(again.start_ticks, 1ULL << 40);
    EXPECT_EQ(again.status, HealthStatus::unhealthy);
    EXPECT_EQ(again.failing_streak, 4U);
    ASSERT_EQ(again.log.size(), 1U);
    EXPECT_EQ(again.log.front().exit_code, 3);
    for (const char* bad : {"", "{}", "[]", R"({"pid":1,"startTicks":2,"status":"well"})"}) {
        EXPECT_FALSE(decode_health(bad)) << bad;
    }
}

}  // namespace
}  // namespace knarr::engine
