#include "cli/progress.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

#include "cli/output.h"
#include "core/clock.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kPlainEvery{5};
constexpr std::size_t kMaxRows = 200;  // more layers than an image can have
constexpr std::size_t kMaxDrawn = 16;  // fewer than the lines of any terminal

std::string short_digest(std::string_view digest) {
    const std::size_t colon = digest.find(':');
    return printable(digest.substr(colon == std::string_view::npos ? 0 : colon + 1, 12));
}

bool is_warning(const PullProgress& news) {
    return news.phase == PullPhase::waiting && news.text.starts_with("warning: ");
}

}  // namespace

ProgressStyle progress_style() {
    const char* term = std::getenv("TERM");
    const bool capable = term != nullptr && std::string_view(term) != "dumb";
    return capable && isatty(STDERR_FILENO) == 1 ? ProgressStyle::terminal : ProgressStyle::lines;
}

Result<ProgressStyle> wanted_style(const Parsed& args) {
    const std::string_view name = args.find("progress").value_or("auto");
    if (name != "auto" && name != "plain" && name != "json") {
        return fail(Errc::invalid_argument,
                    "--progress \"{}\" is none of auto, plain, json",
                    printable(name));
    }
    if (args.flag("quiet")) {
        return ProgressStyle::silent;
    }
    return name == "json"    ? ProgressStyle::json
           : name == "plain" ? ProgressStyle::lines
                             : progress_style();
}

std::string progress_line(const PullProgress& news) {
    constexpr std::size_t kNewsBytes = 120, kTroubleBytes = 400;
    if (is_warning(news)) {
        return printable(news.text, kTroubleBytes);
    }
    std::string out = news.layer.empty() ? "" : short_digest(news.layer) + " ";
    out += fmt::format("{:<11}", name_of(news.phase));
    const bool counted = news.phase == PullPhase::downloading ||
                         news.phase == PullPhase::unpacking || news.phase == PullPhase::uploading;
    if (counted && news.total > 0) {
        const auto percent = static_cast<unsigned>(100.0 * static_cast<double>(news.done) /
                                                   static_cast<double>(news.total));
        out +=
            fmt::format(" {} of {} {:>3}%", human_size(news.done), human_size(news.total), percent);
    } else if (counted) {
        out += " " + human_size(news.done);
    }
    if (!news.text.empty()) {
        out += " " +
               printable(news.text, news.phase == PullPhase::waiting ? kTroubleBytes : kNewsBytes);
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
    Row& row = rows_.emplace_back(Row{.layer = layer, .text = {}});
    row.told = system_clock().steady();
    return row;
}

void ProgressView::show(const PullProgress& news) {
    if (style_ == ProgressStyle::silent) {
        if (is_warning(news)) {  // not progress: nobody should miss it
            print_error(progress_line(news) + "\n");
        }
        return;
    }
    sum_.note(news, system_clock().steady());
    if (style_ == ProgressStyle::json) {
        show_json(news);
        return;
    }
    if (news.layer.empty()) {
        show_image(news);
    } else {
        show_layer(news);
    }
    const auto now = system_clock().steady();
    // Before the program writes below it, what was drawn is put in order.
    const bool is_last = news.phase == PullPhase::finished && news.layer.empty() && drawn_ > 0;
    if (style_ == ProgressStyle::terminal &&
        (!kept_.empty() || is_last || now - last_ >= kRedraw)) {
        last_ = now;
        redraw();
    }
}

void ProgressView::show_image(const PullProgress& news) {
    meantime_.clear();
    if (news.phase == PullPhase::waiting || (news.phase == PullPhase::finished && transferred_)) {
        keep(progress_line(news));
    } else if (news.phase == PullPhase::resolving) {
        meantime_ = progress_line(news);
    }
}

void ProgressView::show_layer(const PullProgress& news) {
    meantime_.clear();
    Row& row = row_of(news.layer);
    if (row.over || news.phase == PullPhase::present) {
        return;
    }
    if (news.phase == PullPhase::uploaded) {
        row.over = true;
        keep(fmt::format("{}: {}", short_digest(news.layer), printable(news.text)));
        return;
    }
    row.text = progress_line(news);
    row.downloaded |= news.phase == PullPhase::downloading || news.phase == PullPhase::uploading;
    transferred_ |= row.downloaded;
    if (news.phase == PullPhase::unpacking && news.done == news.total) {
        row.over = true;
        if (row.downloaded) {
            keep(fmt::format(
                "{} {:<11} {}", short_digest(news.layer), "done", human_size(news.total)));
        }
        return;
    }
    const auto now = system_clock().steady();
    if (style_ == ProgressStyle::lines && row.downloaded && now - row.told >= kPlainEvery) {
        row.told = now;
        keep(row.text);
    }
}

void ProgressView::show_json(const PullProgress& news) {
    const auto now = system_clock().steady();
    transferred_ |= news.phase == PullPhase::downloading || news.phase == PullPhase::uploading;
    if (!news.layer.empty()) {
        // The first news of each phase and the last are always told.
        Row& row = row_of(news.layer);
        const std::string phase(name_of(news.phase));
        if (row.text == phase && news.done != news.total && now - row.told < kRedraw) {
            return;
        }
        row.text = phase;
        row.told = now;
    }
    spec::JsonWriter json;
    json.begin_object().member("phase", name_of(news.phase)).member("layer", news.layer);
    json.member("done", news.done).member("total", news.total).member("text", news.text);
    json.key("sum").begin_object().member("done", sum_.done()).member("total", sum_.total());
    const auto left = sum_.left();
    json.member("rate", static_cast<std::uint64_t>(sum_.rate()))
        .member("left", left ? std::optional(left->count()) : std::nullopt);
    json.end_object().end_object();
    print_error(std::move(json).text() + "\n");
}

/// A line that stays.
void ProgressView::keep(const std::string& line) {
    if (style_ == ProgressStyle::lines) {
        print_error(line + "\n");
    } else {
        kept_ += "\x1b[K" + line + "\n";
    }
}

void ProgressView::redraw() {
    // One write: back to our first line, what stays, then what the next redraw replaces. Without
    // wrapping (?7l): a narrow terminal cuts a line, and our count of lines stays right.
    std::string out = drawn_ > 0 ? fmt::format("\x1b[{}A", drawn_) : "";
    out += kept_ + "\x1b[J\x1b[?7l";
    kept_.clear();
    drawn_ = 0;
    if (!meantime_.empty()) {
        out += meantime_ + "\n";
        ++drawn_;
    }
    for (const Row& row : rows_) {
        if (!row.over && !row.text.empty() && drawn_ < kMaxDrawn) {
            out += row.text + "\n";
            ++drawn_;
        }
    }
    if (drawn_ > 1 && sum_.done() < sum_.total()) {
        out += sum_.line() + "\n";
        ++drawn_;
    }
    print_error(out + "\x1b[?7h");
}

void ProgressView::finish() {
    meantime_.clear();
    rows_.clear();
    sum_ = {};
    if (!kept_.empty() || drawn_ > 0) {
        redraw();
    }
    drawn_ = 0;
}

}  // namespace knarr::cli
