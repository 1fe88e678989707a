#include "engine/kept_terminal.h"

#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "engine/log_store.h"
#include "engine/monitor_lock.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/socket.h"
#include "platform/stream.h"
#include "platform/terminal.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kMovedAtOnce = 64 * size::kKiB;

}  // namespace

Result<> KeptTerminal::open(const sys::Fd& state_dir) {
    KNARR_TRY(sys::set_nonblocking(master_));
    slave_ = KNARR_TRY(sys::open_slave(master_));
    fifo_ = KNARR_TRY(sys::open_at(state_dir, fifo_name(LogStream::out), O_RDWR | O_NOFOLLOW));
    return {};
}

Result<bool> KeptTerminal::take_back(const sys::Fd& state_dir, const sys::Fd& master) {
    sys::Fd lock = KNARR_TRY(open_lock(state_dir, kTerminalLock));
    if (!KNARR_TRY(sys::try_lock(lock))) {
        return false;
    }
    hold(KNARR_TRY(sys::duplicate(master)));
    hold_lock(std::move(lock));
    Result<> opened = open(state_dir);
    if (!opened) {
        close();
        return fail(std::move(opened).error());
    }
    return true;
}

Result<bool> KeptTerminal::pump() {
    if (!is_held() || !is_open()) {
        return false;
    }
    const auto moved = sys::move_to_pipe(master_, fifo_, kMovedAtOnce);
    if (!moved && moved.error().sys_errno != EIO) {
        return fail(moved.error());
    }
    if (moved && (!*moved || **moved > 0)) {
        return moved->has_value();
    }
    // Hung up (vhangup(2), as login programs do): the program may open it again.
    Result<sys::Fd> slave = sys::open_slave(master_);
    if (!slave) {
        close();
        return fail(std::move(slave).error());
    }
    slave_ = std::move(*slave);
    return false;
}

void KeptTerminal::close() {
    master_.reset();
    slave_.reset();
    fifo_.reset();
    lock_.reset();
}

}  // namespace knarr::engine
