#include "engine/attach_client.h"

#include "engine/flow_io.h"
#include "platform/terminal.h"

namespace knarr::engine {

namespace {

/// Time for a program to see that its terminal has another size: those that find the old one at
/// their signal (readline 8.2, ncurses) draw nothing.
constexpr int kOtherSizeMs = 30;

}  // namespace

Result<AttachClient> AttachClient::at_terminal(sys::Fd master,
                                               std::string keys,
                                               bool pass_input,
                                               Screen screen) {
    AttachClient client(std::move(master), std::move(keys));
    client.is_terminal_ = true;
    client.size_source_ = sys::open_standard_terminal();
    if (screen == Screen::to_be_redrawn) {
        client.redraw();
    }
    client.resize();
    if (!pass_input) {
        return client;
    }
    client.stdin_ = sys::open_standard(0);
    if (client.stdin_ && sys::is_terminal(*client.stdin_)) {
        sys::Fd terminal = KNARR_TRY(sys::duplicate(*client.stdin_));
        client.raw_.emplace(KNARR_TRY(sys::RawTerminal::enter(std::move(terminal))));
    } else if (!client.stdin_) {
        client.end_input();
    }
    return client;
}

Result<AttachClient> AttachClient::at_pipe(sys::Fd pipe) {
    KNARR_TRY(sys::set_nonblocking(pipe));
    AttachClient client(std::move(pipe), {});
    client.stdin_ = sys::open_standard(0);
    if (!client.stdin_) {
        client.program_.reset();
    }
    return client;
}

std::array<sys::Ready, AttachClient::kItems> AttachClient::wants() const {
    std::array<sys::Ready, kItems> items;
    items[from_stdin] = {.fd = stdin_ && input_.wants_to_read() ? stdin_->get() : -1};
    items[to_program] = {.fd = input_.flow().wants_to_write() ? program_.get() : -1,
                         .to_write = true};
    items[clock] = {.fd = end_.clock().get()};
    return items;
}

void AttachClient::serve(const std::array<sys::Ready, kItems>& ready) {
    if (ready[from_stdin].is_ready) {
        take_input();
    }
    // What was typed before the keys is the program's, if it takes it at once: then we leave.
    const bool is_last = input_.is_left() && input_.flow().wants_to_write();
    if ((ready[to_program].is_ready || is_last) &&
        write_ready(program_, input_.flow()) == Sink::gone) {
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

void AttachClient::take_input() {
    if (input_.take(*stdin_) == 0U) {
        gone_ = raw_.has_value();  // the window was closed; the program goes on
        end_input();
    }
}

void AttachClient::end_input() {
    input_.end();
    if (is_terminal_ && !gone_) {
        end_.begin(sys::open_slave(program_).value_or(sys::Fd()), input_.flow());
    }
}

/// docker's way: the kernel tells the program of a new size alone (SIGWINCH), so that it gets one,
/// and its own in resize().
void AttachClient::redraw() {
    const auto size = size_source_ ? sys::terminal_size(*size_source_) : std::nullopt;
    if (!size) {
        return;
    }
    constexpr std::uint32_t kMost = UINT16_MAX;
    const auto other = [](std::uint16_t n) {
        return n == kMost ? kMost - 1 : n + std::uint32_t{1};
    };
    // Fails only where the program's terminal is gone, which its monitor tells.
    if (sys::set_terminal_size(program_, other(size->rows), other(size->columns))) {
        static_cast<void>(sys::wait_ready({}, kOtherSizeMs));
    }
}

void AttachClient::resize() {
    if (const auto size = size_source_ ? sys::terminal_size(*size_source_) : std::nullopt) {
        // Fails only where the program's terminal is gone, which its monitor tells.
        static_cast<void>(sys::set_terminal_size(program_, size->rows, size->columns));
    }
}

void AttachClient::resume() {
    resize();
    if (raw_) {
        static_cast<void>(raw_->enter_again());  // fails where the terminal is gone
    }
}

}  // namespace knarr::engine
