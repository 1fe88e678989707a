#include "engine/caller.h"

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
    } else if (!caller.stdin_) {
        caller.end_input();
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
    items[to_program] = {.fd = input_.flow().wants_to_write() ? program_.get() : -1,
                         .to_write = true};
    items[clock] = {.fd = end_.clock().get()};
    return items;
}

void Caller::serve(const std::array<sys::Ready, kItems>& ready) {
    if (ready[from_stdin].is_ready) {
        take_input();
    }
    if (ready[to_program].is_ready && write_ready(program_, input_.flow()) == Sink::gone) {
        input_.flow().break_off();
    }
    if (ready[clock].is_ready) {
        // Gone with what is behind it, which its monitor tells.
        end_.look_again(sys::open_slave(program_).value_or(sys::Fd()), input_.flow());
    }
    if (input_.flow().is_done() && !is_terminal_) {
        program_.reset();  // the end of its input
    }
}

void Caller::take_input() {
    if (input_.take(*stdin_) == 0U) {
        gone_ = raw_.has_value();  // the window was closed; the program goes on
        end_input();
    }
}

void Caller::end_input() {
    input_.end();
    if (is_terminal_ && !gone_) {
        end_.begin(sys::open_slave(program_).value_or(sys::Fd()), input_.flow());
    }
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
