#include "cli/progress.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

#include "cli/output.h"
#include "core/clock.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::size_t kMaxRows = 200;  // more layers than an image can have
constexpr std::size_t kMaxColumns = 79;

std::string short_digest(std::string_view digest) {
    const std::size_t colon = digest.find(':');
    return printable(digest.substr(colon == std::string_view::npos ? 0 : colon + 1, 12));
}

}  // namespace

ProgressStyle progress_style() {
    const char* term = std::getenv("TERM");
    const bool capable = term != nullptr && std::string_view(term) != "dumb";
    return capable && isatty(STDERR_FILENO) == 1 ? ProgressStyle::terminal : ProgressStyle::lines;
}

std::string progress_line(const PullProgress& news) {
    std::string out = news.layer.empty() ? "" : short_digest(news.layer) + " ";
    out += fmt::format("{:<11}", name_of(news.phase));
    const bool counted = news.phase == PullPhase::downloading || news.phase == PullPhase::unpacking;
    if (counted && news.total > 0) {
        const auto percent = static_cast<unsigned>(100.0 * static_cast<double>(news.done) /
                                                   static_cast<double>(news.total));
        out +=
            fmt::format(" {} of {} {:>3}%", human_size(news.done), human_size(news.total), percent);
    } else if (counted) {
        out += " " + human_size(news.done);
    }
    if (!news.text.empty()) {
        out += " " + printable(news.text, 120);
    }
    while (out.ends_with(' ')) {
        out.pop_back();
    }
    return out;
}

ProgressView::Row& ProgressView::row_of(const std::string& layer) {
    for (Row& row : rows_) {
        if (row.layer == layer) {
            return row;
        }
    }
    if (rows_.size() >= kMaxRows) {
        return rows_.back();
    }
    return rows_.emplace_back(Row{.layer = layer, .phase = PullPhase::resolving, .text = {}});
}

void ProgressView::show(const PullProgress& news) {
    if (style_ == ProgressStyle::silent) {
        return;
    }
    Row& row = row_of(news.layer);
    const std::string line = progress_line(news);
    const bool new_phase = row.text.empty() || row.phase != news.phase;
    // Plain lines tell phases, and of the whole image every news (waits, retries).
    const bool worth_a_line = new_phase || (news.layer.empty() && row.text != line);
    row.phase = news.phase;
    row.text = line;
    if (style_ == ProgressStyle::lines) {
        if (worth_a_line) {
            print_error(line + "\n");
        }
        return;
    }
    stale_ = true;
    const auto now = system_clock().steady();
    if (new_phase || now - last_ >= kRedraw) {
        last_ = now;
        redraw();
    }
}

void ProgressView::redraw() {
    // One write: back to our first line, then each line with the rest of it cleared.
    std::string out;
    if (drawn_ > 0) {
        out += fmt::format("\x1b[{}A", drawn_);
    }
    for (const Row& row : rows_) {
        // A line that wraps would count as two when we go back up.
        out += "\r\x1b[K" + row.text.substr(0, kMaxColumns) + "\n";
    }
    drawn_ = rows_.size();
    stale_ = false;
    print_error(out);
}

void ProgressView::finish() {
    if (stale_) {
        redraw();
    }
    rows_.clear();
    drawn_ = 0;
}

}  // namespace knarr::cli
