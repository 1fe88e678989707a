#pragma once
// Makes a network namespace beside what the program does: the kernel needs up to a millisecond for
// one, which a launch has left while it probes the host and plans.

#include <array>
#include <memory>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

/// A second process in the same memory, with the same open files, that leaves for a new network
/// namespace, opens it and ends. Ours stays where it is.
/// Source: clone(2) CLONE_VM, CLONE_FILES; network_namespaces(7).
class NetworkMaker {
public:
    NetworkMaker();
    NetworkMaker(const NetworkMaker&) = delete;
    NetworkMaker& operator=(const NetworkMaker&) = delete;
    ~NetworkMaker() { finish(); }

    /// Waits for it. Invalid where none could be made: whoever makes one in the usual way learns
    /// why. Nothing may be cloned before this was called.
    Fd finish();

private:
    static int make(void* self);

    static constexpr std::size_t kStackBytes = std::size_t{16} * 1024;
    std::unique_ptr<std::array<char, kStackBytes>> stack_;
    pid_t pid_ = -1;
    int made_ = -1;  // the namespace; written by the other process
};

}  // namespace knarr::sys
