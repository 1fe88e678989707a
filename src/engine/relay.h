#pragma once
// The runtime as a terminal's other side: between the caller's stdin and stdout and the terminal
// of a container, while its program runs in the foreground.
//
//   stdin  -> input_  -> master    bytes as they are, less the detach keys; at the end of a pipe or
//                                  file the character that means it (end_of_input.h)
//   stdout <- output_ <- master    until the program has ended and the terminal holds no more
//
// The caller's terminal, where stdin is one, is in raw mode meanwhile and gives its size.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/end_of_input.h"
#include "engine/flow.h"
#include "engine/typed_input.h"
#include "platform/fd.h"
#include "platform/raw_terminal.h"
#include "platform/socket.h"

namespace knarr::engine {

class Relay {
public:
    /// What of the caller's stdin is for the program: whatever it holds, or a terminal's keys
    /// alone.
    enum class Input : std::uint8_t { any, keys };
    /// Takes over the terminal behind `master`: its size from here on is the caller's. `keys` leave
    /// it (detach_keys.h); empty: none do.
    static Result<Relay> open(sys::Fd master, std::string keys = {}, Input input = Input::any);

    static constexpr std::size_t kItems = 5;
    /// What to wait for before the next serve().
    std::array<sys::Ready, kItems> wants() const;
    /// Moves what is ready.
    void serve(const std::array<sys::Ready, kItems>& ready);

    /// After SIGWINCH: the caller's size becomes the container's.
    void resize();
    /// After SIGCONT: raw again, and the size anew.
    void resume();

    /// The program has ended: what it wrote still goes out, input is over. Others may hold the
    /// terminal open and write on; they are not waited for.
    void program_ended();
    /// The keys were typed. Then leave() gives the program's terminal away: somebody has to hold
    /// it.
    bool is_left() const { return input_.is_left(); }
    sys::Fd leave();

    /// After the end: whether all is out; whether there is something to wait for until it is.
    bool is_done() const { return output_.is_done(); }
    bool must_wait() const { return output_.wants_to_write(); }

private:
    enum Item { from_stdin, to_master, from_master, to_stdout, clock };

    Relay(sys::Fd master, std::string keys) : master_(std::move(master)), input_(std::move(keys)) {}
    void take_input();
    void end_input();
    void give_input();
    void take_output();
    bool reopen();
    void give_output();
    /// The caller's side is gone: so is the container's terminal, as when a window is closed.
    void hang_up();

    sys::Fd master_;
    sys::Fd slave_;  // held, so that a program that closes its terminal can open it again
    std::optional<sys::Fd> stdin_, stdout_;
    std::optional<sys::Fd> size_source_;  // the caller's terminal
    bool stdin_is_terminal_ = false;
    std::optional<sys::RawTerminal> raw_;
    TypedInput input_;
    EndOfInput end_;
    Flow output_;
    bool program_ended_ = false;
    std::size_t drained_bytes_ = 0;  // since the program ended
};

}  // namespace knarr::engine
