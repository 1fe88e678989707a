#include "cli/progress_sum.h"

#include <algorithm>

#include "core/text.h"

namespace knarr::cli {

namespace {

using Seconds = std::chrono::duration<double>;
/// The rate is that of so long before now, looked at so often.
constexpr std::chrono::seconds kWindow{5};
constexpr std::chrono::milliseconds kStep{250};

bool is_counted(PullPhase phase) {
    return phase == PullPhase::downloading || phase == PullPhase::uploading;
}

}  // namespace

void ProgressSum::note(const PullProgress& news, Time now) {
    const bool over = news.phase == PullPhase::uploaded;
    if (!is_counted(news.phase) && !over) {
        return;
    }
    Layer& layer = layers_[news.layer];
    if (layer.done == 0) {
        layer.first = news.done;  // an earlier pull may have got it: no speed of this one
    }
    if (!over) {
        layer.total = news.total;
    }
    layer.done = over ? layer.total : std::max(layer.done, news.done);
    done_ = total_ = came_ = 0;
    for (const auto& [name, one] : layers_) {
        done_ += one.done;
        total_ += one.total;
        came_ += one.done - std::min(one.first, one.done);
    }
    if (samples_.empty() || now - samples_.back().time >= kStep) {
        samples_.push_back({.time = now, .came = came_});
    }
    while (samples_.size() > 2 && now - samples_.front().time > kWindow) {
        samples_.pop_front();
    }
}

double ProgressSum::rate() const {
    if (samples_.size() < 2) {
        return 0;
    }
    const double seconds = Seconds(samples_.back().time - samples_.front().time).count();
    return static_cast<double>(samples_.back().came - samples_.front().came) / seconds;
}

std::optional<std::chrono::seconds> ProgressSum::left() const {
    const double bytes_a_second = rate();
    if (bytes_a_second < 1 || done_ >= total_) {
        return std::nullopt;
    }
    constexpr double kLongest = 359'999;  // what "99 h" can say
    const double seconds = static_cast<double>(total_ - done_) / bytes_a_second;
    return std::chrono::ceil<std::chrono::seconds>(Seconds(std::min(seconds, kLongest)));
}

std::string ProgressSum::line() const {
    std::string out = fmt::format("{:<12} {:<11} {} of {} {:>3}%",
                                  "all",
                                  "",
                                  human_size(done_),
                                  human_size(total_),
                                  total_ == 0 ? 100 : 100 * done_ / total_);
    const auto bytes_a_second = static_cast<std::uint64_t>(rate());
    if (bytes_a_second != 0) {
        out += fmt::format(", {}/s", human_size(bytes_a_second));
    }
    if (const auto rest = left()) {
        const auto s = rest->count();
        out += s < 60     ? fmt::format(", {} s left", s)
               : s < 3600 ? fmt::format(", {} min {} s left", s / 60, s % 60)
                          : fmt::format(", {} h {} min left", s / 3600, s / 60 % 60);
    }
    return out;
}

}  // namespace knarr::cli
