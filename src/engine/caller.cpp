#include "engine/caller.h"

#include <algorithm>

#include "engine/flow_io.h"
#include "platform/terminal.h"

namespace knarr::engine {

Result<Caller> Caller::at_terminal(sys::Fd master, std::string keys, bool pass_input) {
    Caller caller(std::move(master), std::move(keys));
    caller.is_terminal_ = true;
    caller.size_source_ = sys::open_standard_terminal();
    caller.resize();
    if (!pass_input) {
        return caller;
    }
    caller.stdin_ = sys::open_standard(0);
    if (caller.stdin_ && sys::is_terminal(*caller.stdin_)) {
        sys::Fd terminal = KNARR_TRY(sys::duplicate(*caller.stdin_));
        caller.raw_.emplace(KNARR_TRY(sys::RawTerminal::enter(std::move(terminal))));
    }
    return caller;
}

Result<Caller> Caller::at_pipe(sys::Fd pipe) {
    KNARR_TRY(sys::set_nonblocking(pipe));
    Caller caller(std::move(pipe), {});
    caller.stdin_ = sys::open_standard(0);
    if (!caller.stdin_) {
        caller.program_.reset();
    }
    return caller;
}

std::array<sys::Ready, Caller::kItems> Caller::wants() const {
    std::array<sys::Ready, kItems> items;
    items[from_stdin] = {.fd = stdin_ && input_.wants_to_read() ? stdin_->get() : -1};
    items[to_program] = {.fd = input_.wants_to_write() ? program_.get() : -1, .to_write = true};
    return items;
}

void Caller::serve(const std::array<sys::Ready, kItems>& ready) {
    if (ready[from_stdin].is_ready) {
        take_input();
    }
    if (ready[to_program].is_ready && write_ready(program_, input_) == Sink::gone) {
        input_.break_off();
    }
    if (input_.is_done() && !is_terminal_) {
        program_.reset();  // the end of its input
    }
}

void Caller::take_input() {
    const std::span<char> room = input_.free_part();
    const auto got = read_ready(*stdin_, room);
    if (!got) {
        return;
    }
    if (*got > 0) {
        // Keys that turn out not to be the keys are passed on with what follows them: there is
        // always room, as no more is passed on than was read.
        const std::string typed = keys_.pass(std::string_view(room.data(), *got));
        const std::size_t count = std::min(room.size(), typed.size());
        std::copy_n(typed.data(), count, room.data());
        input_.was_read(count);
        return;
    }
    if (raw_) {
        gone_ = true;  // the window was closed; the program goes on
        input_.end();
        return;
    }
    // Within a line the character only sends what there is; the second one then is the end.
    const std::optional<char> eof = is_terminal_ ? sys::end_of_input(program_) : std::nullopt;
    input_.end(eof ? std::string(input_.last_read() == '\n' ? 1 : 2, *eof) : std::string());
}

void Caller::resize() {
    if (const auto size = size_source_ ? sys::terminal_size(*size_source_) : std::nullopt) {
        // Fails only where the program's terminal is gone, which its monitor tells.
        static_cast<void>(sys::set_terminal_size(program_, size->rows, size->columns));
    }
}

void Caller::resume() {
    resize();
    if (raw_) {
        static_cast<void>(raw_->enter_again());  // fails where the terminal is gone
    }
}

}  // namespace knarr::engine
