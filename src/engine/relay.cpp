#include "engine/relay.h"

#include "engine/flow_io.h"
#include "platform/terminal.h"

namespace knarr::engine {

namespace {

/// More than a pseudo terminal holds: past it somebody else is writing.
constexpr std::size_t kMaxDrainedBytes = std::size_t{1} << 20;

}  // namespace

Result<Relay> Relay::open(sys::Fd master, std::string keys, Input input) {
    Relay relay(std::move(master), std::move(keys));
    KNARR_TRY(sys::set_nonblocking(relay.master_));
    relay.slave_ = KNARR_TRY(sys::open_slave(relay.master_));
    relay.stdin_ = sys::open_standard(0);
    relay.stdout_ = sys::open_standard(1);
    relay.size_source_ = sys::open_standard_terminal();
    relay.resize();
    if (!relay.stdin_) {
        relay.end_input();
    } else if (sys::is_terminal(*relay.stdin_)) {
        relay.stdin_is_terminal_ = true;
        sys::Fd terminal = KNARR_TRY(sys::duplicate(*relay.stdin_));
        relay.raw_.emplace(KNARR_TRY(sys::RawTerminal::enter(std::move(terminal))));
    } else if (input == Input::keys) {
        relay.stdin_.reset();  // somebody else's: neither what it holds nor its end is told
    }
    return relay;
}

std::array<sys::Ready, Relay::kItems> Relay::wants() const {
    const auto when = [](bool wanted, const sys::Fd* fd) {
        return wanted && fd != nullptr ? fd->get() : -1;
    };
    const sys::Fd* in = stdin_ ? &*stdin_ : nullptr;
    const sys::Fd* out = stdout_ ? &*stdout_ : nullptr;
    std::array<sys::Ready, kItems> items;
    items[from_stdin] = {.fd = when(input_.wants_to_read(), in)};
    items[to_master] = {.fd = when(input_.flow().wants_to_write(), &master_), .to_write = true};
    items[from_master] = {.fd = when(output_.wants_to_read(), &master_)};
    items[to_stdout] = {.fd = when(output_.wants_to_write(), out), .to_write = true};
    items[clock] = {.fd = when(!program_ended_ && slave_.valid(), &end_.clock())};
    return items;
}

void Relay::serve(const std::array<sys::Ready, kItems>& ready) {
    if (ready[from_stdin].is_ready) {
        take_input();
    }
    // What was typed before the keys is the program's, if it takes it at once: then we leave.
    if ((ready[to_master].is_ready || is_left()) && input_.flow().wants_to_write()) {
        give_input();
    }
    // After the end nobody has to announce what is there: reading says when it was the last.
    if ((ready[from_master].is_ready || program_ended_) && output_.wants_to_read()) {
        take_output();
    }
    if (ready[to_stdout].is_ready && output_.wants_to_write()) {
        give_output();
    }
    if (ready[clock].is_ready && slave_.valid()) {
        end_.look_again(slave_, input_.flow());
    }
}

void Relay::take_input() {
    if (input_.take(*stdin_) != 0U) {
        return;
    }
    if (stdin_is_terminal_) {
        hang_up();
    } else {
        end_input();
    }
}

void Relay::end_input() {
    input_.end();
    end_.begin(slave_, input_.flow());
}

void Relay::give_input() {
    if (write_ready(master_, input_.flow()) == Sink::gone) {
        input_.flow().break_off();
    }
}

void Relay::take_output() {
    const auto got = read_ready(master_, output_.free_part());
    if (!got) {
        if (program_ended_) {
            output_.end();
        }
        return;
    }
    output_.was_read(*got);
    drained_bytes_ += program_ended_ ? *got : 0;
    if ((*got == 0 && !reopen()) || drained_bytes_ > kMaxDrainedBytes) {
        output_.end();
    }
    if (!stdout_) {
        output_.was_written(output_.held_part().size());  // a closed stdout, as /dev/null
    }
}

/// A program may hang its terminal up (vhangup(2), as login programs do) and open it again.
bool Relay::reopen() {
    if (program_ended_) {
        return false;
    }
    Result<sys::Fd> slave = sys::open_slave(master_);
    if (slave) {
        slave_ = std::move(*slave);
    }
    return slave.has_value();
}

void Relay::give_output() {
    if (write_ready(*stdout_, output_) == Sink::gone) {
        hang_up();
    }
}

void Relay::hang_up() {
    input_.flow().break_off();
    output_.break_off();
    slave_.reset();
    master_.reset();
}

sys::Fd Relay::leave() {
    raw_.reset();
    slave_.reset();
    return std::move(master_);
}

void Relay::resize() {
    if (size_source_ && master_.valid()) {
        if (const auto size = sys::terminal_size(*size_source_)) {
            // Fails only where the terminal is gone, which the next read finds.
            static_cast<void>(sys::set_terminal_size(master_, size->rows, size->columns));
        }
    }
}

void Relay::resume() {
    resize();
    if (raw_) {
        // Fails where the terminal is gone, which the next read finds.
        static_cast<void>(raw_->enter_again());
    }
}

void Relay::program_ended() {
    program_ended_ = true;
    slave_.reset();
    input_.flow().break_off();
}

}  // namespace knarr::engine
