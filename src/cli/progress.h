#pragma once
// How a pull shows its progress: lines that change on a terminal, else plain lines for what
// happens, on standard error.

#include <chrono>
#include <string>
#include <vector>

#include "knarr/image.h"

namespace knarr::cli {

enum class ProgressStyle : std::uint8_t {
    silent,
    lines,     // one line for each change of phase of a layer
    terminal,  // one line for each layer, rewritten at most ten times a second
};

/// terminal when standard error is one (and TERM is not "dumb"), else lines.
ProgressStyle progress_style();

/// One layer (or the whole image) as a line: "3f4d5e6a7b8c downloading  1.2 MiB of 4.0 MiB  30%".
std::string progress_line(const PullProgress& news);

class ProgressView {
public:
    explicit ProgressView(ProgressStyle style) : style_(style) {}

    void show(const PullProgress& news);
    /// Writes what is still held back.
    void finish();

private:
    struct Row {
        std::string layer;
        PullPhase phase = PullPhase::resolving;
        std::string text;
    };
    Row& row_of(const std::string& layer);
    void redraw();

    ProgressStyle style_;
    std::vector<Row> rows_;
    std::size_t drawn_ = 0;  // lines on the terminal that are ours
    bool stale_ = false;
    std::chrono::steady_clock::time_point last_{};
};

}  // namespace knarr::cli
