#include "engine/typed_input.h"

#include <algorithm>

#include "engine/flow_io.h"

namespace knarr::engine {

namespace {

void append(Flow& flow, std::string_view bytes) {
    std::ranges::copy(bytes, flow.free_part().begin());
    flow.was_read(bytes.size());
}

}  // namespace

void TypedInput::was_read(std::size_t count) {
    // What comes out is never longer than what is held and `count` together, for which there is
    // room.
    append(flow_, keys_.pass(std::string_view(free_part().data(), count)));
}

std::optional<std::size_t> TypedInput::take(const sys::Fd& from) {
    const auto got = read_ready(from, free_part());
    if (got && *got > 0) {
        was_read(*got);
    }
    return got;
}

void TypedInput::end() {
    append(flow_, keys_.rest());
    flow_.end();
}

}  // namespace knarr::engine
