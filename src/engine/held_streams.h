#pragma once
// What a monitor holds of its container: the lock that says so, the reading ends of the program's
// streams, its terminal, the log that they go into, and the door for those attached. The launcher,
// or the monitor before, sends the ends by a socket (monitor.h). Holding decides nothing: when any
// of it happens is the monitor's (monitor.cpp).
//
//   launcher ─hold─> lock, FIFOs, terminal ─serve─> log (log_store.h), attached (attach_door.h)
//
// Errors are for the monitor to note and to try again; no byte is lost by one. None is told of a
// container that is removed meanwhile.

#include <array>
#include <optional>

#include "engine/attach_door.h"
#include "engine/context.h"
#include "engine/journal.h"
#include "engine/kept_terminal.h"
#include "engine/log_store.h"

namespace knarr::engine {

class HeldStreams {
public:
    HeldStreams(const Context& context, const ContainerId& id) : context_(context), id_(id) {}

    /// This process's standard input is the launcher's socket, or nothing.
    Result<> take_standard_input();
    /// The launcher's socket; invalid: nothing more comes from it.
    const sys::Fd& launcher() const { return launcher_; }
    /// Takes in what the launcher sent, and holds it.
    void hold();
    /// The same, and begins the log and opens the door once the container is ours.
    Result<> receive();
    /// Holds the streams that are not held yet, of a container that was launched long ago.
    Result<> open_fifos(const sys::Fd& dir);

    /// False: somebody else watches this container.
    Result<bool> take_lock();
    void release_lock() { lock_.reset(); }

    static constexpr std::size_t kItems = 5 + AttachDoor::kItems;
    /// What to wait for; without `reads` not for the program's output.
    std::array<sys::Ready, kItems> wants(bool reads) const;
    Result<> serve(const std::array<sys::Ready, kItems>& ready);
    /// For when nothing comes.
    void release_memory();

    /// There is a terminal, and nobody handed it on: one who is attached may have it.
    void note_lost_terminal() { lost_terminal_ = !terminal_.is_held(); }
    /// What those attached gave back is held again; `later`: somebody looks at its lock just now.
    enum class Back : std::uint8_t { nothing, later, held };
    Result<Back> take_terminal_back();
    /// A socket by which one that is started gets the terminal, to which no path leads.
    Result<std::optional<sys::Fd>> hand_terminal_on() const;

    /// Takes what was written before the end. Who goes on writing, as in a pid namespace that does
    /// not end with the container, is killed when that is over. False: there is no log to take it.
    Result<bool> drain();
    /// The program has ended, and all is in the log; told once to those attached.
    void tell_end(std::optional<int> code) {
        door_.tell_end({.code = code, .log = log_ ? std::optional(log_->place()) : std::nullopt});
    }
    /// Whether one who has been told reads the log still.
    bool is_read() const { return door_.is_waited_for(); }
    /// Whether the journal is to get more, and takes nothing just now.
    bool is_behind() const { return behind_; }
    /// The run is over.
    void close();
    /// As close(), and lets go of the log and of the streams' ends.
    void let_go();

private:
    Result<> begin_log();
    Result<> begin_attach();
    enum class Amount : std::uint8_t { some, all_held };
    Result<> take(LogStream stream, Amount amount);
    Result<> take_ready(bool terminal, std::array<bool, 2> streams);
    Result<> drain_terminal();
    Result<> feed_journal();
    Result<> feed_journal_to_the_end();
    const sys::Fd* terminal() const { return terminal_.is_held() ? &terminal_.master() : nullptr; }

    const Context& context_;
    const ContainerId& id_;
    sys::Fd launcher_;
    sys::Fd lock_;  // of kMonitorLock: its open file is locked as long as this is open
    std::array<sys::Fd, 2> fifos_;
    std::optional<LogWriter> log_;
    std::optional<JournalFeed> journal_;
    bool behind_ = false;
    KeptTerminal terminal_;
    bool lost_terminal_ = false;
    AttachDoor door_;
    sys::Fd attached_;  // from the beginning; not admitted yet
};

}  // namespace knarr::engine
