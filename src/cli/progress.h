#pragma once
// How a pull shows its progress: lines that change on a terminal, else plain lines for what
// happens, on standard error.

#include <chrono>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/progress_sum.h"
#include "knarr/image.h"

namespace knarr::cli {

enum class ProgressStyle : std::uint8_t {
    silent,
    lines,     // one line for each layer that came, and now and then one for a long transfer
    terminal,  // besides, a line for each layer on its way and one for all of them together,
               // rewritten at most ten times a second
    json,      // every news as a JSON object on a line, counts at most ten times a second a layer
};

/// --progress of verbs that transfer.
inline constexpr Option kProgressOption{
    .name = "progress",
    .value = "STYLE",
    .help = "auto, plain (lines), json (an object a line on standard error)",
    .fallback = "auto",
};
/// What --progress and --quiet say.
Result<ProgressStyle> wanted_style(const Parsed& args);

/// terminal when standard error is one (and TERM is not "dumb"), else lines.
ProgressStyle progress_style();

/// One layer (or the whole image) as a line: "3f4d5e6a7b8c downloading 1.2 MiB of 4.0 MiB  30%".
std::string progress_line(const PullProgress& news);

/// What is stored already is not told of: a pull that transfers nothing leaves no line.
class ProgressView {
public:
    explicit ProgressView(ProgressStyle style) : style_(style) {}

    void show(const PullProgress& news);
    /// Writes what is still held back, and takes away lines that were only for the meantime.
    void finish();
    /// Whether a layer was downloaded.
    bool transferred() const { return transferred_; }

private:
    struct Row {
        std::string layer;
        std::string text;
        bool downloaded = false;
        bool over = false;
        std::chrono::steady_clock::time_point told{};  // when it last had a plain line
    };
    Row& row_of(const std::string& layer);
    void show_image(const PullProgress& news);
    void show_layer(const PullProgress& news);
    void keep(const std::string& line);
    void redraw();
    void show_json(const PullProgress& news);

    ProgressStyle style_;
    std::vector<Row> rows_;  // of layers, in the order in which they are first heard of
    std::string meantime_;   // terminal: what the whole image waits for
    std::string kept_;       // terminal: lines that stay, not written yet
    std::size_t drawn_ = 0;  // terminal: lines that the next redraw replaces
    bool transferred_ = false;
    ProgressSum sum_;
    std::chrono::steady_clock::time_point last_{};
};

}  // namespace knarr::cli
