#pragma once

#include "knarr/result.h"
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

/// /dev/null; `flags` as of open(2): O_RDONLY, O_WRONLY, O_RDWR.
Result<Fd> open_null(int flags);

/// Standard input, output and error become /dev/null.
Result<> null_standard_streams();

}  // namespace knarr::sys
