#pragma once
// The caller's side of being attached: what is typed or piped goes to the program, whose terminal
// has the size of the caller's. The caller's terminal, where stdin is one, is in raw mode
// meanwhile. What the program writes is shown by somebody else (log_show.h).

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/end_of_input.h"
#include "engine/typed_input.h"
#include "platform/fd.h"
#include "platform/raw_terminal.h"
#include "platform/socket.h"

namespace knarr::engine {

class AttachClient {
public:
    /// A program that has shown something before we came may show it again.
    enum class Screen : std::uint8_t { is_new, to_be_redrawn };
    /// In front of a terminal, by its other side, with the keys that leave it.
    static Result<AttachClient> at_terminal(sys::Fd master,
                                            std::string keys,
                                            bool pass_input,
                                            Screen screen);
    /// In front of a pipe, which is closed at the end of input.
    static Result<AttachClient> at_pipe(sys::Fd pipe);

    static constexpr std::size_t kItems = 3;
    /// What to wait for before the next serve().
    std::array<sys::Ready, kItems> wants() const;
    void serve(const std::array<sys::Ready, kItems>& ready);

    /// All that was piped is passed on, or nobody takes it. Never in front of a terminal.
    bool is_input_over() const { return !is_terminal_ && !program_.valid(); }
    /// The terminal's other side; null in front of a pipe.
    const sys::Fd* terminal() const { return is_terminal_ ? &program_ : nullptr; }
    /// After SIGWINCH: the caller's size becomes the container's.
    void resize();
    /// After SIGCONT: raw again, and the size anew.
    void resume();
    /// The detach keys were typed, or the caller's window is gone.
    bool wants_to_leave() const { return input_.is_left() || gone_; }

private:
    enum Item { from_stdin, to_program, clock };
    AttachClient(sys::Fd program, std::string keys)
        : program_(std::move(program)), input_(std::move(keys)) {}
    void take_input();
    void end_input();
    void redraw();

    sys::Fd program_;
    bool is_terminal_ = false;
    TypedInput input_;
    EndOfInput end_;
    std::optional<sys::Fd> stdin_, size_source_;
    std::optional<sys::RawTerminal> raw_;
    bool gone_ = false;
};

}  // namespace knarr::engine
