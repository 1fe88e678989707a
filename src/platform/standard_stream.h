#pragma once

#include "platform/fd.h"

namespace knarr::sys {

/// Standard input, output or error, to be used as any other descriptor; it stays open.
class StandardStream {
public:
    explicit StandardStream(int number) : fd_(number) {}
    ~StandardStream() { fd_.release(); }
    StandardStream(const StandardStream&) = delete;
    StandardStream& operator=(const StandardStream&) = delete;
    StandardStream(StandardStream&&) = delete;
    StandardStream& operator=(StandardStream&&) = delete;

    const Fd& fd() const { return fd_; }

private:
    Fd fd_;
};

}  // namespace knarr::sys
