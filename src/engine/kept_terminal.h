#pragma once
// The terminal of a program in the background, as its monitors hold it. What the program writes
// goes by the FIFO of its stdout into its log (log_store.h), where those attached read it; what is
// typed and the size come from them directly, who get the terminal's other side by descriptor
// (attach_door.h). So nobody who is attached, however slow, stands between program and monitor.

#include "platform/fd.h"

namespace knarr::engine {

class KeptTerminal {
public:
    /// The terminal's other side; the program may be there already or not.
    void hold(sys::Fd master) { master_ = std::move(master); }
    /// What is locked as long as anybody has the terminal (monitor.h).
    void hold_lock(sys::Fd lock) { lock_ = std::move(lock); }
    const sys::Fd& lock() const { return lock_; }
    /// Begins to serve it: `state_dir` has the FIFO.
    Result<> open(const sys::Fd& state_dir);
    /// Holds and serves one that its monitors lost and that somebody else had still, with its lock.
    /// False: somebody else has the lock just now.
    Result<bool> take_back(const sys::Fd& state_dir, const sys::Fd& master);
    bool is_held() const { return master_.valid(); }
    bool is_open() const { return fifo_.valid(); }
    const sys::Fd& master() const { return master_; }

    /// Moves what the program wrote into the FIFO, some of it; false when there is nothing to be
    /// moved now. Who is killed meanwhile has left each byte in one of the two.
    Result<bool> pump();
    void close();

private:
    sys::Fd master_;
    sys::Fd slave_;  // held, so that a program that closes its terminal can open it again
    sys::Fd fifo_;
    sys::Fd lock_;
};

}  // namespace knarr::engine
