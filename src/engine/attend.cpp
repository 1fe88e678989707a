#include "engine/attend.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "platform/pidfd.h"
#include "platform/socket.h"

namespace knarr::engine {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kOwnItems = 4;
using Items = std::array<sys::Ready, kOwnItems + Relay::kItems>;

Result<> hand_on(sys::SignalFd& signals, const sys::Fd& process, Relay* relay) {
    while (const auto signal = KNARR_TRY(signals.next())) {
        if (relay != nullptr && *signal == SIGWINCH) {
            relay->resize();
            continue;
        }
        if (relay != nullptr && *signal == SIGCONT) {
            relay->resume();
        }
        if (sys::is_forwardable(*signal)) {
            const Result<> sent = sys::pidfd_send_signal(process, *signal);
            if (!sent && sent.error().sys_errno != ESRCH) {
                return sent;
            }
        }
    }
    return {};
}

/// Waits for the process, a signal or what is beside it, and serves that.
Result<Items> wait(const sys::SignalFd& signals, const sys::Fd* process, Beside beside, int ms) {
    Relay* const relay = beside.relay;
    Items items;
    items[0] = {.fd = process != nullptr ? process->get() : -1};
    items[1] = {.fd = signals.fd().get()};
    items[2] = {.fd = beside.notify != nullptr ? beside.notify->fd().get() : -1};
    items[3] = {.fd = beside.cancel_fd};
    std::array<sys::Ready, Relay::kItems> part{};
    if (relay != nullptr) {
        part = relay->wants();
        std::copy(part.begin(), part.end(), items.begin() + kOwnItems);
    }
    KNARR_TRY(sys::wait_ready(items, ms));
    if (relay != nullptr) {
        std::copy(items.begin() + kOwnItems, items.end(), part.begin());
        relay->serve(part);
    }
    if (items[2].is_ready) {
        // Fails where the manager is gone, which then asks for nothing any more.
        static_cast<void>(beside.notify->serve(std::nullopt));
    }
    return items;
}

/// What the program left in its terminal. A reader that takes nothing is waited for, unless
/// somebody asks us to end.
Result<> drain(sys::SignalFd& signals, Relay& relay) {
    relay.program_ended();
    while (!relay.is_done()) {
        KNARR_TRY(wait(signals, nullptr, {.relay = &relay}, relay.must_wait() ? -1 : 0));
        while (const auto signal = KNARR_TRY(signals.next())) {
            if (*signal == SIGTERM || *signal == SIGINT || *signal == SIGHUP ||
                *signal == SIGQUIT) {
                return {};
            }
        }
    }
    return {};
}

}  // namespace

Result<std::optional<int>> attend(sys::SignalFd& signals,
                                  const sys::Fd& process,
                                  Beside beside,
                                  std::optional<std::chrono::milliseconds> timeout) {
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
        const Items items = KNARR_TRY(wait(signals, &process, beside, wait_ms));
        if (beside.relay != nullptr && beside.relay->is_left()) {
            return std::nullopt;
        }
        KNARR_TRY(hand_on(signals, process, beside.relay));
        if (items[0].is_ready) {
            const int code = KNARR_TRY(sys::reap(process)).code();
            if (beside.relay != nullptr) {
                KNARR_TRY(drain(signals, *beside.relay));
            }
            return code;
        }
        if (items[3].is_ready) {
            return fail(Errc::interrupted, "stopped on request");
        }
    }
}

}  // namespace knarr::engine
