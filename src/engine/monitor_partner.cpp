#include "engine/monitor_partner.h"

#include <array>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include "engine/live.h"
#include "engine/record.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/rest.h"
#include "platform/socket.h"

namespace knarr::engine {

void MonitorPartner::take(pid_t pid) {
    auto partner = sys::pidfd_open(pid);
    pidfd_ = partner ? std::move(*partner) : sys::Fd();
}

bool MonitorPartner::is_due() const {
    return !is_there() && system_clock().steady() >= next_;
}

Result<> MonitorPartner::start(const sys::Fd* terminal) {
    next_ = system_clock().steady() + std::chrono::milliseconds(kPauseMs);
    const pid_t self = sys::own_pid();
    const sys::Fd program = KNARR_TRY(sys::open_path("/proc/self/exe", O_RDONLY));
    sys::Clone clone = KNARR_TRY(sys::clone_process(0));
    if (clone.in_child()) {
        const MonitorOrder order{
            .root = order_.root, .id = order_.id, .watching = self, .log = order_.log};
        static_cast<void>(execute_monitor(program, order, terminal));
        _exit(1);
    }
    pidfd_ = std::move(clone.pidfd);
    return {};
}

void MonitorPartner::replace() {
    static_cast<void>(sys::pidfd_send_signal(pidfd_, SIGKILL));
    next_ = {};
}

Result<sys::Fd> stand_by(const Context& context,
                         const ContainerId& id,
                         pid_t watching,
                         sys::SignalFd& signals,
                         HeldStreams& streams) {
    const auto watched = sys::pidfd_open(watching);
    sys::Fd process;
    if (const auto dir = context.root.open_dir(id)) {
        // Later ones: the container is there. At first the launcher sends the ends.
        const auto record = load_record(*dir, path_of(context, id.text()));
        if (record && *record && (*record)->pid > 0) {
            auto found = sys::open_process_or_zombie((*record)->pid, (*record)->pid_start_ticks);
            process = found && *found ? std::move(**found) : sys::Fd();
            // What is not there now is looked for once more by take_over().
            static_cast<void>(streams.open_fifos(*dir));
        }
    }
    bool ended = !watched;
    while (!ended) {
        std::array<sys::Ready, 3> items;
        items[0] = {.fd = signals.fd().get()};
        items[1] = {.fd = streams.launcher().get()};
        items[2] = {.fd = watched->get()};
        KNARR_TRY(sys::wait_at_rest(items, -1, [] {}));
        while (KNARR_TRY(signals.next())) {
            // Whatever it says: this one ends with the other.
        }
        streams.hold();
        ended = items[2].is_ready;
    }
    streams.release_lock();
    return process;
}

}  // namespace knarr::engine
