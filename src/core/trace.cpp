#include "core/trace.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <new>

#include <fmt/format.h>

namespace knarr {

namespace {

struct Mark {
    std::int64_t at_ns;
    TraceSide side;
    std::array<char, 55> what;  // cut, ends with NUL
};

/// Wall time: a container's time namespace shifts the steady clocks of the child.
std::int64_t now_ns() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace

struct Trace::Page {
    static constexpr std::size_t kMarks = (kBytes - 2 * sizeof(std::int64_t)) / sizeof(Mark);

    std::int64_t began_ns = 0;
    std::atomic<std::uint32_t> used = 0;  // lock-free: two processes count here
    std::array<Mark, kMarks> marks;
};

void Trace::open(void* memory) noexcept {
    static_assert(sizeof(Page) <= kBytes && std::atomic<std::uint32_t>::is_always_lock_free);
    page_ = new (memory) Page;
    page_->began_ns = now_ns();
}

void Trace::mark(std::string_view what, TraceSide side) noexcept {
    if (page_ == nullptr) {
        return;
    }
    const std::uint32_t place = page_->used.fetch_add(1);
    if (place >= Page::kMarks) {
        return;
    }
    Mark& mark = page_->marks[place];
    mark.at_ns = now_ns();
    mark.side = side;
    mark.what = {};
    std::copy_n(what.data(), std::min(what.size(), mark.what.size() - 1), mark.what.data());
}

std::vector<std::string> Trace::lines() const {
    std::vector<std::string> out;
    if (page_ == nullptr) {
        return out;
    }
    std::vector<Mark> marks(
        page_->marks.begin(),
        page_->marks.begin() + std::min<std::size_t>(page_->used, Page::kMarks));
    std::ranges::stable_sort(marks, {}, &Mark::at_ns);
    std::array<std::int64_t, 2> before{page_->began_ns, 0};
    for (const Mark& mark : marks) {
        std::int64_t& last = before[static_cast<std::size_t>(mark.side)];
        last = last == 0 ? before[0] : last;  // a child begins where its parent stood
        out.push_back(fmt::format("{} {:7} us {:+7}  {}",
                                  mark.side == TraceSide::parent ? "parent" : "child ",
                                  (mark.at_ns - page_->began_ns) / 1000,
                                  (mark.at_ns - last) / 1000,
                                  mark.what.data()));
        last = mark.at_ns;
    }
    return out;
}

Trace& trace() {
    static Trace the_trace;
    return the_trace;
}

}  // namespace knarr
