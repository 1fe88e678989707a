#include "engine/flow_io.h"

#include <cerrno>

#include "platform/socket.h"

namespace knarr::engine {

namespace {

/// A write that the kernel takes whole from a pipe that polled writable; others may block.
constexpr std::size_t kPieceBytes = 4096;

}  // namespace

std::optional<std::size_t> read_ready(const sys::Fd& fd, std::span<char> room) {
    const Result<std::size_t> got = sys::read_some(fd, room);
    if (!got) {
        return got.error().sys_errno == EAGAIN ? std::nullopt : std::optional<std::size_t>(0);
    }
    return *got;
}

Sink write_ready(const sys::Fd& fd, Flow& flow) {
    const Result<std::optional<std::size_t>> put =
        sys::write_some(fd, flow.held_part().substr(0, kPieceBytes));
    if (!put) {
        return Sink::gone;
    }
    flow.was_written(put->value_or(0));
    return Sink::open;
}

}  // namespace knarr::engine
