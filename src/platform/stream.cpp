#include "platform/stream.h"

#include <array>
#include <cerrno>
#include <type_traits>

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/node.h"
#include "platform/socket.h"

namespace knarr::sys {

Result<Fifo> make_fifo_at(const Fd& dir, const std::string& name) {
    KNARR_TRY(unlink_at(dir, name));
    KNARR_TRY(make_node_at(dir, name, S_IFIFO | 0600, 0));
    Fifo fifo;
    fifo.write = KNARR_TRY(open_at(dir, name, O_RDWR | O_NOFOLLOW));
    if (geteuid() != 0) {
        // The program's user becomes its owner (pipe_owner.h), whose files are not open to us; the
        // group stays ours. The directory is closed to all others.
        KNARR_TRY(set_mode_of(fifo.write, 0660));
    }
    fifo.read = KNARR_TRY(open_fifo_at(dir, name));
    return fifo;
}

Result<Fd> open_fifo_at(const Fd& dir, const std::string& name) {
    return open_at(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
}

namespace {

Result<std::optional<std::size_t>> splice_some(const Fd& from,
                                               const Fd& to,
                                               loff_t* at,
                                               std::size_t max) {
    while (true) {
        const ssize_t moved = splice(from.get(), nullptr, to.get(), at, max, SPLICE_F_NONBLOCK);
        if (moved >= 0) {
            return static_cast<std::size_t>(moved);
        }
        if (errno == EAGAIN) {
            return std::nullopt;
        }
        if (errno != EINTR) {
            return fail_errno(errno, "splice");
        }
    }
}

}  // namespace

Result<std::optional<std::size_t>> move_to_file(const Fd& pipe,
                                                const Fd& file,
                                                std::int64_t& place,
                                                std::size_t max) {
    static_assert(std::is_same_v<std::int64_t, loff_t>);  // the kernel writes to it
    return splice_some(pipe, file, &place, max);
}

Result<std::optional<std::size_t>> move_to_pipe(const Fd& terminal,
                                                const Fd& pipe,
                                                std::size_t max) {
    return splice_some(terminal, pipe, nullptr, max);
}

Result<std::uint64_t> bytes_held(const Fd& pipe) {
    int count = 0;
    if (ioctl(pipe.get(), FIONREAD, &count) != 0) {
        return fail_errno(errno, "FIONREAD");
    }
    return static_cast<std::uint64_t>(count);
}

Result<std::size_t> read_into(const Fd& file, std::uint64_t offset, std::span<char> out) {
    std::size_t have = 0;
    while (have < out.size()) {
        const ssize_t got = pread(file.get(),
                                  out.subspan(have).data(),
                                  out.size() - have,
                                  static_cast<off_t>(offset + have));
        if (got < 0 && errno != EINTR) {
            return fail_errno(errno, "pread");
        }
        if (got == 0) {
            break;
        }
        have += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return have;
}

Result<std::string> read_part(const Fd& file, std::uint64_t offset, std::size_t bytes) {
    std::string out(bytes, '\0');
    out.resize(KNARR_TRY(read_into(file, offset, out)));
    return out;
}

Result<DirWatch> DirWatch::open() {
    Fd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!fd.valid()) {
        return fail_errno(errno, "inotify_init1");
    }
    return DirWatch(std::move(fd));
}

Result<DirWatch> DirWatch::open_or_tick() {
    Result<DirWatch> watch = open();
    if (!watch && watch.error().sys_errno == EMFILE) {
        watch = DirWatch(Fd());
        KNARR_TRY(watch->tick());
    }
    if (watch) {
        watch->may_tick_ = true;
    }
    return watch;
}

/// Source: timerfd_create(2).
Result<> DirWatch::tick() {
    constexpr long kTickNs = 250'000'000;
    fd_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const itimerspec time{.it_interval = {.tv_sec = 0, .tv_nsec = kTickNs},
                          .it_value = {.tv_sec = 0, .tv_nsec = kTickNs}};
    if (!fd_.valid() || timerfd_settime(fd_.get(), 0, &time, nullptr) != 0) {
        return fail_errno(errno, "timerfd");
    }
    ticks_ = true;
    return {};
}

Result<> DirWatch::add(const std::string& path) {
    if (ticks_) {
        return {};
    }
    constexpr std::uint32_t kEvents =
        IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;
    if (inotify_add_watch(fd_.get(), path.c_str(), kEvents) < 0) {
        if (errno == ENOSPC && may_tick_) {
            return tick();
        }
        return fail_errno(errno, "inotify_add_watch {}", path);
    }
    return {};
}

void DirWatch::clear() {
    std::array<char, 4096> events;
    while (read(fd_.get(), events.data(), events.size()) > 0) {
    }
}

Result<bool> DirWatch::wait(int cancel_fd, int timeout_ms) {
    std::array<Ready, 2> items{Ready{.fd = fd_.get()}, Ready{.fd = cancel_fd}};
    KNARR_TRY(wait_ready(items, timeout_ms));
    clear();
    return !items[1].is_ready;
}

}  // namespace knarr::sys
