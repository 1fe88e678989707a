#include "cli/progress.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

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

TEST(ProgressView, PlainLinesTellWhichLayersCame) {
    ProgressView view(ProgressStyle::lines);
    testing::internal::CaptureStderr();
    view.show({.phase = PullPhase::resolving, .text = "manifest"});
    view.show(layer(PullPhase::downloading, 1, 10));
    view.show(layer(PullPhase::downloading, 10, 10));
    view.show(layer(PullPhase::unpacking, 0, 10));
    view.show(layer(PullPhase::unpacking, 10, 10));
    view.show({.phase = PullPhase::finished, .text = "sha256:ab"});
    view.finish();
    EXPECT_TRUE(view.transferred());
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "0123456789ab done        10 B\n"
              "finished    sha256:ab\n");
}

TEST(ProgressView, SaysNothingOfWhatWasThereBefore) {
    ProgressView view(ProgressStyle::lines);
    testing::internal::CaptureStderr();
    view.show({.phase = PullPhase::resolving, .text = "manifest"});
    view.show(layer(PullPhase::present, 10, 10));
    view.show(layer(PullPhase::unpacking, 0, 10));
    view.show(layer(PullPhase::unpacking, 10, 10));
    view.show({.phase = PullPhase::finished, .text = "sha256:ab"});
    view.finish();
    EXPECT_FALSE(view.transferred());
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ProgressView, WaitsAreToldAtOnce) {
    ProgressView view(ProgressStyle::lines);
    testing::internal::CaptureStderr();
    view.show({.phase = PullPhase::waiting, .text = "no connection; try 2 of 3"});
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "waiting     no connection; try 2 of 3\n");
}

TEST(ProgressView, SilentSaysNothing) {
    ProgressView view(ProgressStyle::silent);
    testing::internal::CaptureStderr();
    view.show(layer(PullPhase::downloading, 1, 10));
    view.finish();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ProgressView, JsonTellsEachPhaseAndTheSum) {
    ProgressView view(ProgressStyle::json);
    testing::internal::CaptureStderr();
    view.show({.phase = PullPhase::resolving, .text = "manifest"});
    view.show(layer(PullPhase::downloading, 0, 10));
    view.show(layer(PullPhase::downloading, 3, 10));  // too soon after the one before
    view.show(layer(PullPhase::downloading, 10, 10));
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              R"({"phase":"resolving","layer":"","done":0,"total":0,"text":"manifest",)"
              R"("sum":{"done":0,"total":0,"rate":0,"left":null}})"
              "\n"
              R"({"phase":"downloading","layer":"sha256:0123456789abcdef","done":0,"total":10,)"
              R"("text":"","sum":{"done":0,"total":10,"rate":0,"left":null}})"
              "\n"
              R"({"phase":"downloading","layer":"sha256:0123456789abcdef","done":10,"total":10,)"
              R"("text":"","sum":{"done":10,"total":10,"rate":0,"left":null}})"
              "\n");
    EXPECT_TRUE(view.transferred());
}

/// What a terminal of endless width shows in the end: knows the sequences that the view writes.
std::vector<std::string> screen_after(std::string_view out) {
    std::vector<std::string> lines(1);
    std::size_t at = 0;
    while (!out.empty()) {
        if (!out.starts_with("\x1b[")) {
            if (out.front() == '\n') {
                ++at;
                lines.resize(std::max(lines.size(), at + 1));
            } else {
                lines[at] += out.front();
            }
            out.remove_prefix(1);
            continue;
        }
        const std::size_t end = out.find_first_of("AJKhl");
        const std::string_view count = out.substr(2, end - 2);
        if (out[end] == 'A') {
            at -= std::stoul(std::string(count));
        } else if (out[end] == 'K' || out[end] == 'J') {
            lines[at].clear();
            lines.resize(out[end] == 'J' ? at + 1 : lines.size());
        }
        out.remove_prefix(end + 1);
    }
    return lines;
}

TEST(ProgressView, ATerminalShowsLayersOnTheirWayAndKeepsThoseThatCame) {
    ProgressView view(ProgressStyle::terminal);
    testing::internal::CaptureStderr();
    view.show({.phase = PullPhase::resolving, .text = "manifest"});
    PullProgress other = layer(PullPhase::downloading, 3, 30);
    other.layer = "sha256:fedcba9876543210";
    view.show(layer(PullPhase::downloading, 10, 10));
    view.show(other);
    view.show(layer(PullPhase::unpacking, 10, 10));
    const std::string half = testing::internal::GetCapturedStderr();
    EXPECT_EQ(
        screen_after(half),
        (std::vector<std::string>{
            "0123456789ab done        10 B", "fedcba987654 downloading 3 B of 30 B  10%", ""}));
    testing::internal::CaptureStderr();
    other.phase = PullPhase::unpacking;
    other.done = 30;
    view.show(other);
    view.show({.phase = PullPhase::finished, .text = "sha256:ab"});
    view.finish();
    EXPECT_EQ(screen_after(half + testing::internal::GetCapturedStderr()),
              (std::vector<std::string>{"0123456789ab done        10 B",
                                        "fedcba987654 done        30 B",
                                        "finished    sha256:ab",
                                        ""}));
}

TEST(ProgressView, ATerminalIsEmptyAfterAPullThatTransferredNothing) {
    ProgressView view(ProgressStyle::terminal);
    testing::internal::CaptureStderr();
    view.show({.phase = PullPhase::resolving, .text = "manifest"});
    view.show(layer(PullPhase::present, 10, 10));
    view.show({.phase = PullPhase::finished, .text = "sha256:ab"});
    view.finish();
    EXPECT_EQ(screen_after(testing::internal::GetCapturedStderr()), std::vector<std::string>{""});
}

TEST(ProgressView, APushSaysOfEachBlobHowItGotThere) {
    EXPECT_EQ(progress_line({.phase = PullPhase::uploading,
                             .layer = "sha256:0123456789abcdef",
                             .done = 1024,
                             .total = 2048}),
              "0123456789ab uploading   1.0 KiB of 2.0 KiB  50%");
    ProgressView view(ProgressStyle::lines);
    testing::internal::CaptureStderr();
    view.show({.phase = PullPhase::uploading, .layer = "sha256:0123456789abcdef", .total = 5});
    view.show({.phase = PullPhase::uploaded,
               .layer = "sha256:0123456789abcdef",
               .text = "Layer already exists"});
    view.finish();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "0123456789ab: Layer already exists\n");
}

}  // namespace
}  // namespace knarr::cli
