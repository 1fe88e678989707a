#include "platform/fd.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace knarr::sys {

void Fd::reset() {
    if (fd_ >= 0) {
        close(fd_);  // Linux releases the number even when close reports EINTR
        fd_ = -1;
    }
}

Result<Pipe> make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail_errno(errno, "pipe2");
    }
    return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
}

Result<Fd> duplicate(const Fd& fd) {
    const int copy = fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        return fail_errno(errno, "duplicate fd {}", fd.get());
    }
    return Fd(copy);
}

bool is_inherited(int fd) {
    const int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

Result<std::size_t> read_some(const Fd& fd, std::span<char> buffer) {
    while (true) {
        const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            return fail_errno(errno, "read");
        }
    }
}

Result<std::size_t> read_full(const Fd& fd, std::span<char> buffer) {
    std::size_t total = 0;
    while (total < buffer.size()) {
        const std::size_t got = KNARR_TRY(read_some(fd, buffer.subspan(total)));
        if (got == 0) {
            break;
        }
        total += got;
    }
    return total;
}

Result<std::string> read_all(const Fd& fd, std::size_t max) {
    std::string text;
    std::size_t used = 0;
    while (true) {
        if (used == text.size()) {
            if (used > max) {
                return fail(Errc::limit_exceeded, "read: more than {} bytes", max);
            }
            text.resize(used == 0 ? 4096 : used * 2);
        }
        const std::size_t got =
            KNARR_TRY(read_some(fd, std::span(text.data() + used, text.size() - used)));
        if (got == 0) {
            break;
        }
        used += got;
    }
    if (used > max) {
        return fail(Errc::limit_exceeded, "read: more than {} bytes", max);
    }
    text.resize(used);
    return text;
}

Result<> read_at(const Fd& fd, std::span<char> buffer, std::uint64_t offset) {
    while (!buffer.empty()) {
        const ssize_t got =
            pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got == 0) {
            return fail(Errc::io, "read: the file ends early");
        }
        if (got < 0 && errno != EINTR) {
            return fail_errno(errno, "read");
        }
        if (got > 0) {
            buffer = buffer.subspan(static_cast<std::size_t>(got));
            offset += static_cast<std::uint64_t>(got);
        }
    }
    return {};
}

Result<> write_all(const Fd& fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = write(fd.get(), bytes.data(), bytes.size());
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail_errno(errno, "write");
        }
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

}  // namespace knarr::sys
