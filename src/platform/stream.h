#pragma once
// Streams that outlive who reads them: FIFOs by name, and moving their bytes into a file without
// ever holding them in a process.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "platform/fd.h"

namespace knarr::sys {

/// Both ends of a FIFO. A program that holds `write` open for reading, too, is never told that
/// nobody reads: it waits when the FIFO is full.
struct Fifo {
    Fd read;   // never blocks; its end comes when nobody holds `write` any more
    Fd write;  // opened for reading and writing
};
/// Makes the FIFO `name` (0600) in `dir`, in the place of one that is there.
Result<Fifo> make_fifo_at(const Fd& dir, const std::string& name);
/// Opens it for reading alone. Errors: sys_errno ENOENT.
Result<Fd> open_fifo_at(const Fd& dir, const std::string& name);

/// splice(2): moves what the pipe holds, at most `max` bytes, to a place of a file, and the place
/// on behind them. Who is killed meanwhile has left each byte in the pipe or before the place. 0:
/// nobody writes any more; nothing: the pipe is empty now.
Result<std::optional<std::size_t>> move_to_file(const Fd& pipe,
                                                const Fd& file,
                                                std::int64_t& place,
                                                std::size_t max);
/// The same from a terminal that does not block into a pipe. Nothing also when the pipe is full; 0,
/// or sys_errno EIO, when the terminal was hung up.
Result<std::optional<std::size_t>> move_to_pipe(const Fd& terminal,
                                                const Fd& pipe,
                                                std::size_t max);
/// How many bytes a pipe holds. Source: pipe(7), FIONREAD.
Result<std::uint64_t> bytes_held(const Fd& pipe);

/// pread(2); fewer than asked for at the end of the file.
Result<std::size_t> read_into(const Fd& file, std::uint64_t offset, std::span<char> out);
/// The same as a text.
Result<std::string> read_part(const Fd& file, std::uint64_t offset, std::size_t bytes);

/// inotify(7) on directories: readable when an entry of one was made, written to, renamed or
/// removed since the last clear().
class DirWatch {
public:
    static Result<DirWatch> open();
    /// The same; where the user has as many already as the kernel allows (128, often), it is
    /// readable once in a while, and who looks then finds out.
    static Result<DirWatch> open_or_tick();
    /// Errors: sys_errno ENOENT.
    Result<> add(const std::string& path);
    const Fd& fd() const { return fd_; }
    void clear();
    /// Waits for a change, at most `timeout_ms` (-1: no limit), and clears. False: `cancel_fd` (-1:
    /// none) became readable. A signal ends it early.
    Result<bool> wait(int cancel_fd, int timeout_ms = -1);

private:
    explicit DirWatch(Fd fd) : fd_(std::move(fd)) {}
    Result<> tick();

    Fd fd_;
    bool may_tick_ = false, ticks_ = false;
};

}  // namespace knarr::sys
