#include "engine/background.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/limits.h"
#include "core/text.h"
#include "engine/attach_door.h"
#include "engine/live.h"
#include "engine/log_store.h"
#include "engine/monitor_lock.h"
#include "engine/monitor_start.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/process.h"
#include "platform/socket.h"
#include "platform/spawn.h"
#include "platform/standard_stream.h"
#include "platform/stream.h"
#include "platform/task.h"
#include "platform/terminal.h"
#include "runtime/launch/protocol.h"

namespace knarr::engine {

namespace {

/// The sockets to the two monitors: whoever of them is killed, the other one holds the ends.
struct Monitors {
    sys::Fd watching, standing_by;
};

/// A monitor that has been killed takes nothing: the other one has it, or opens the FIFO.
void send(const sys::Fd& monitor, std::string_view name, const sys::Fd& fd) {
    static_cast<void>(sys::send_packet(monitor, name, &fd));
}

/// What a container's streams are to be.
struct Streams {
    std::optional<LogPlace> log;
    bool terminal = false;  // which then takes the place of all three
    bool keeps_stdin = false;
    AttachedEnds attached;
    std::array<sys::Fd, 2> ends;  // of the FIFOs, held until the monitors have the terminal
};

/// What the program reads: nothing, what is piped to one attached, or what anybody writes who
/// attaches.
Result<sys::Fd> make_stdin(const LockedDir& dir, Streams& streams) {
    if (streams.attached.input.valid()) {
        return std::move(streams.attached.input);
    }
    if (streams.keeps_stdin && !streams.terminal) {
        // Open for writing as well: it does not end when a writer leaves.
        return KNARR_TRY(sys::make_fifo_at(dir.fd(), kStdinFifo)).write;
    }
    return sys::open_null(O_RDONLY);
}

/// Who is attached is to miss nothing, however soon he reads: the directory is locked until then.
Result<> show_log(const Streams& streams) {
    const sys::Fd& socket = streams.attached.socket;
    if (socket.valid() && !streams.terminal) {
        const sys::Fd dir = KNARR_TRY(sys::open_path(streams.log->dir, O_RDONLY | O_DIRECTORY));
        KNARR_TRY(sys::lock_shared(dir));
        // One who is gone again is no trouble of the container's.
        static_cast<void>(send_word(socket, kLog, &dir));
    }
    return {};
}

/// Who is attached gets the watching monitor; one who finds it killed looks for the next.
void give_attached(Streams& streams, const Monitors& monitors) {
    if (streams.attached.socket.valid()) {
        send(monitors.watching, kAttachedEnd, streams.attached.socket);
        streams.attached.socket.reset();
    }
}

/// The container's own streams: FIFOs whose other ends the monitors get.
Result<> give_streams(const LockedDir& dir,
                      Streams& streams,
                      const Monitors& monitors,
                      runtime::LaunchIo& io) {
    send(monitors.watching, kMonitorLock, KNARR_TRY(lock_to_watch(dir.fd(), kMonitorLock)));
    if (streams.terminal) {
        const sys::Fd lock = KNARR_TRY(lock_to_watch(dir.fd(), kTerminalLock));
        send(monitors.watching, kTerminalLock, lock);
        send(monitors.standing_by, kTerminalLock, lock);
    }
    if (streams.log) {
        KNARR_TRY(sys::make_dirs(streams.log->dir, 0700), "log");
        KNARR_TRY(show_log(streams), "log");
    }
    io.stdio[0] = KNARR_TRY(make_stdin(dir, streams));
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        const int number = static_cast<int>(stream);
        sys::Fd& end = io.stdio[1 + number];
        if (!streams.log || streams.terminal) {
            end = KNARR_TRY(sys::open_null(O_WRONLY));
        }
        if (!streams.log) {
            continue;
        }
        sys::Fifo fifo = KNARR_TRY(sys::make_fifo_at(dir.fd(), fifo_name(stream)));
        constexpr int kFifoBytes = 256 * 1024;
        sys::widen_pipe(fifo.write, kFifoBytes);
        send(monitors.watching, name_of(stream), fifo.read);
        send(monitors.standing_by, name_of(stream), fifo.read);
        (streams.terminal ? streams.ends[number] : end) = std::move(fifo.write);
    }
    if (!streams.terminal) {
        give_attached(streams, monitors);
    }
    return fault_point("background.streams");
}

/// A terminal whose caller is attached has the caller's size from the beginning.
void take_size(NewContainer& wanted) {
    auto& process = wanted.bundle.config.process;
    const auto terminal =
        wanted.attached.socket.valid() && process ? sys::open_standard_terminal() : std::nullopt;
    if (const auto size = terminal ? sys::terminal_size(*terminal) : std::nullopt) {
        process->console_size = spec::ConsoleSize{.height = size->rows, .width = size->columns};
    }
}

/// The launcher: from here on it is alone with what was decided.
[[noreturn]] void be_launcher(const Context& context,
                              NewContainer wanted,
                              const Monitors& monitors,
                              const sys::Fd& report) {
    const Life& life = *wanted.life;
    Streams streams{
        .log =
            log_place(life.log, life.terminal, wanted.data_dir, path_of(context, wanted.id.text())),
        .terminal = life.terminal,
        .keeps_stdin = life.keeps_stdin,
        .attached = std::move(wanted.attached),
        .ends = {}};
    wanted.give_streams = [&](const LockedDir& dir, runtime::LaunchIo& io) {
        return give_streams(dir, streams, monitors, io);
    };
    if (streams.terminal) {
        wanted.give_terminal = [&](const sys::Fd& master) -> Result<> {
            send(monitors.watching, kTerminalEnd, master);
            send(monitors.standing_by, kTerminalEnd, master);
            give_attached(streams, monitors);
            return fault_point("background.terminal");
        };
    }
    const Result<int> done = run_container(context, std::move(wanted), RunMode::detached);
    // knarr may be gone; the container runs all the same.
    static_cast<void>(done ? runtime::send(report, runtime::Message::ready)
                           : runtime::send_error(report, runtime::Message::failed, done.error()));
    _exit(done ? 0 : 1);
}

/// The monitor that watches, until it is knarr-monitor: makes the launcher.
Result<> become_watching(const Context& context,
                         NewContainer wanted,
                         const sys::Fd& program,
                         MonitorOrder order,
                         sys::Fd to_standing_by,
                         const sys::Fd& report) {
    KNARR_TRY(sys::adopt_orphans());
    sys::SocketPair streams = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::never_blocks));
    const sys::Clone launcher = KNARR_TRY(sys::clone_process(0));
    if (launcher.in_child()) {
        streams.ours.reset();
        const Monitors monitors{.watching = std::move(streams.theirs),
                                .standing_by = std::move(to_standing_by)};
        be_launcher(context, std::move(wanted), monitors, report);
    }
    order.launcher = launcher.pid;
    return fail(execute_monitor(program, order, &streams.ours));
}

/// The monitor that stands by, until it is knarr-monitor: makes the one that watches.
Result<> become_monitors(const Context& context,
                         NewContainer wanted,
                         const sys::Fd& program,
                         const sys::Fd& report) {
    sys::new_session();
    KNARR_TRY(sys::adopt_orphans());
    sys::SocketPair streams = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::never_blocks));
    MonitorOrder order{.root = KNARR_TRY(sys::absolute(context.root.path())),
                       .id = wanted.id.text(),
                       .log = context.monitor_log};
    const pid_t self = sys::own_pid();
    const sys::Clone watching = KNARR_TRY(sys::clone_process(0));
    if (watching.in_child()) {
        streams.ours.reset();
        order.beside = self;
        return become_watching(context,
                               std::move(wanted),
                               program,
                               std::move(order),
                               std::move(streams.theirs),
                               report);
    }
    order.watching = watching.pid;
    return fail(execute_monitor(program, order, &streams.ours));
}

}  // namespace

Result<> run_in_background(const Context& context, NewContainer wanted) {
    take_size(wanted);
    // Before anything is made.
    const sys::Fd program = KNARR_TRY(sys::open_own_program(kMonitorProgram));
    sys::SocketPair report = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::blocks));
    const std::string what = "container " + wanted.id.text();
    const sys::Clone monitor = KNARR_TRY(sys::clone_process(0));
    if (monitor.in_child()) {
        report.ours.reset();
        const Result<> failed = become_monitors(context, std::move(wanted), program, report.theirs);
        static_cast<void>(
            runtime::send_error(report.theirs, runtime::Message::failed, failed.error()));
        _exit(1);
    }
    report.theirs.reset();
    wanted.attached = {};  // the copies of the monitor and the program count alone
    auto packet = KNARR_TRY(runtime::receive(report.ours));
    if (!packet) {
        return fail(Error{.code = Errc::interrupted,
                          .message = what + ": the process that launched it was killed",
                          .hint = "try again; knarr ps -a shows what there is"});
    }
    if (packet->message == runtime::Message::failed) {
        return fail(std::move(packet->error));
    }
    return {};
}

}  // namespace knarr::engine
