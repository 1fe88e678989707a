#include "engine/attend.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/pidfd.h"
#include "platform/socket.h"

namespace knarr::engine {

namespace {

Result<> hand_on(sys::SignalFd& signals, const sys::Fd& process) {
    while (const auto signal = KNARR_TRY(signals.next())) {
        if (sys::is_forwardable(*signal)) {
            const Result<> sent = sys::pidfd_send_signal(process, *signal);
            if (!sent && sent.error().sys_errno != ESRCH) {
                return sent;
            }
        }
    }
    return {};
}

}  // namespace

Result<std::optional<int>> attend(sys::SignalFd& signals,
                                  const sys::Fd& process,
                                  std::optional<std::chrono::seconds> timeout) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point deadline = Clock::now() + timeout.value_or(std::chrono::seconds(0));
    while (true) {
        int wait_ms = -1;
        if (timeout) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
            if (left <= 0) {
                return std::nullopt;
            }
            wait_ms = static_cast<int>(std::min<std::int64_t>(left, INT32_MAX));
        }
        std::array<sys::Ready, 2> items{sys::Ready{.fd = process.get()},
                                        sys::Ready{.fd = signals.fd().get()}};
        KNARR_TRY(sys::wait_ready(items, wait_ms));
        KNARR_TRY(hand_on(signals, process));
        if (items[0].is_ready) {
            return KNARR_TRY(sys::reap(process)).code();
        }
    }
}

}  // namespace knarr::engine
