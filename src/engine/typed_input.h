#pragma once
// What is typed or piped on its way to the program, less the detach keys.

#include <optional>
#include <span>
#include <string>

#include "engine/detach_keys.h"
#include "engine/flow.h"
#include "platform/fd.h"

namespace knarr::engine {

class TypedInput {
public:
    explicit TypedInput(std::string keys) : keys_(std::move(keys)) {}

    /// Only where there is room for all that may have to be passed on besides what is read.
    bool wants_to_read() const { return flow_.wants_to_read() && flow_.room() > reserved(); }
    /// Where to read to; never empty while wants_to_read().
    std::span<char> free_part() { return flow_.free_part().first(flow_.room() - reserved()); }
    /// The first `count` bytes of it were typed.
    void was_read(std::size_t count);
    /// Reads what `from` has into it: how much, 0 at the end; nothing when nothing is there.
    std::optional<std::size_t> take(const sys::Fd& from);
    /// No more comes: a beginning of the keys was typed as such.
    void end();

    /// All keys came.
    bool is_left() const { return keys_.are_complete(); }
    /// What goes to the program.
    Flow& flow() { return flow_; }
    const Flow& flow() const { return flow_; }

private:
    /// A beginning of the keys that was held back, and a terminal's end of input, twice
    /// (end_of_input.h).
    std::size_t reserved() const { return keys_.held() + 2; }

    DetachKeys keys_;
    Flow flow_;
};

}  // namespace knarr::engine
