#pragma once
// Owned file descriptors and the reads and writes on them. Everything is O_CLOEXEC.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "knarr/result.h"

namespace knarr::sys {

/// One owned file descriptor; closed by the destructor.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    int get() const { return fd_; }
    bool valid() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset();

private:
    int fd_ = -1;
};

struct Pipe {
    Fd read, write;
};
Result<Pipe> make_pipe();

/// A second descriptor for the same open file, at or above 3.
Result<Fd> duplicate(const Fd& fd);

/// Whether a descriptor number is open and not ours: everything that we open is close-on-exec,
/// what came through exec is not.
bool is_inherited(int fd);

/// Reads to the end. Errors: limit_exceeded past `max` bytes.
Result<std::string> read_all(const Fd& fd, std::size_t max);
/// Reads until `buffer` is full or the file ends; returns the count.
Result<std::size_t> read_full(const Fd& fd, std::span<char> buffer);
/// One read(2), retried on EINTR; 0 at the end.
Result<std::size_t> read_some(const Fd& fd, std::span<char> buffer);
/// Fills `buffer` from this offset of the file. Errors: io when the file ends before.
Result<> read_at(const Fd& fd, std::span<char> buffer, std::uint64_t offset);
Result<> write_all(const Fd& fd, std::string_view bytes);

}  // namespace knarr::sys
