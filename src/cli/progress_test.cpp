#include "cli/progress.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

PullProgress layer(PullPhase phase, std::uint64_t done, std::uint64_t total) {
    return {.phase = phase,
            .layer = "sha256:0123456789abcdef",
            .done = done,
            .total = total,
            .text = {}};
}

TEST(ProgressLine, ShowsBytesAndPercent) {
    EXPECT_EQ(progress_line(layer(PullPhase::downloading, 512, 2048)),
              "0123456789ab downloading 512 B of 2.0 KiB  25%");
    EXPECT_EQ(progress_line(layer(PullPhase::unpacking, 2048, 2048)),
              "0123456789ab unpacking   2.0 KiB of 2.0 KiB 100%");
}

TEST(ProgressLine, KnowsNoTotal) {
    EXPECT_EQ(progress_line(layer(PullPhase::downloading, 512, 0)),
              "0123456789ab downloading 512 B");
}

TEST(ProgressLine, OfTheWholeImageShowsTheText) {
    EXPECT_EQ(progress_line({.phase = PullPhase::waiting, .layer = {}, .text = "rate limit, 3 s"}),
              "waiting     rate limit, 3 s");
}

TEST(ProgressLine, HostileTextsCannotSteerTheTerminal) {
    const std::string line = progress_line(
        {.phase = PullPhase::waiting, .layer = "sha256:\x1b[2J", .text = "\x1b]0;evil\x07"});
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_EQ(line.find('\x07'), std::string::npos);
}

TEST(ProgressView, PlainLinesTellPhasesOnly) {
    ProgressView view(ProgressStyle::lines);
    testing::internal::CaptureStderr();
    view.show(layer(PullPhase::downloading, 1, 10));
    view.show(layer(PullPhase::downloading, 5, 10));
    view.show(layer(PullPhase::downloading, 10, 10));
    view.show(layer(PullPhase::unpacking, 10, 10));
    view.finish();
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "0123456789ab downloading 1 B of 10 B  10%\n"
              "0123456789ab unpacking   10 B of 10 B 100%\n");
}

TEST(ProgressView, SilentSaysNothing) {
    ProgressView view(ProgressStyle::silent);
    testing::internal::CaptureStderr();
    view.show(layer(PullPhase::downloading, 1, 10));
    view.finish();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ProgressView, ATerminalsLastStateIsTheTruth) {
    ProgressView view(ProgressStyle::terminal);
    testing::internal::CaptureStderr();
    view.show(layer(PullPhase::downloading, 1, 10));
    view.show(layer(PullPhase::downloading, 10, 10));
    view.finish();
    const std::string out = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(out.ends_with("10 B of 10 B 100%\n")) << out;
}

}  // namespace
}  // namespace knarr::cli
