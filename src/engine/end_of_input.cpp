#include "engine/end_of_input.h"

#include <algorithm>

#include "platform/timer.h"

namespace knarr::engine {

namespace {

using Mode = sys::TerminalInput::Mode;
constexpr std::chrono::milliseconds kLongestPause{1000};

}  // namespace

std::string EndSigns::next(const sys::TerminalInput& seen) {
    if (seen.end == 0 || seen.mode == Mode::bytes) {
        return {};
    }
    if (seen.mode == Mode::lines && !told_lines_) {
        // It may stand behind other lines. Within one it only sends what there is; a second one
        // then is the end.
        told_lines_ = true;
        return std::string(within_line_ ? 2 : 1, seen.end);
    }
    // Behind other bytes it could become a part of what a command reads that they start.
    if (seen.has_unread) {
        return {};
    }
    const bool in_editor = seen.mode == Mode::edited && within_line_;
    within_line_ = within_line_ && !in_editor;
    return std::string(in_editor ? "\n" : "") + seen.end;
}

std::chrono::milliseconds EndSigns::pause() {
    pause_ = std::min(pause_ * 2, kLongestPause);
    return pause_;
}

void EndOfInput::begin(const sys::Fd& slave, Flow& flow) {
    signs_ = EndSigns(flow.is_within_line());
    flow.end();
    tell(slave, flow);
    if (auto clock = sys::make_timer(signs_.pause())) {
        clock_ = std::move(*clock);
    }
}

void EndOfInput::look_again(const sys::Fd& slave, Flow& flow) {
    tell(slave, flow);
    if (!sys::set_timer(clock_, signs_.pause())) {
        clock_.reset();
    }
}

void EndOfInput::tell(const sys::Fd& slave, Flow& flow) {
    auto seen = sys::terminal_input(slave);
    if (seen) {
        seen->has_unread = seen->has_unread || flow.wants_to_write();
        flow.end(signs_.next(*seen));
    }
}

}  // namespace knarr::engine
