#pragma once
// A file's bytes, read where they lie, though somebody may cut the file meanwhile. What is behind
// its end is a SIGBUS for whoever touches it (mmap(2)): while a `Reading` lives, such a page
// becomes one of zeros instead, and the reading knows.
//
// For processes of ours, as the handler of a signal belongs to a whole process: the first mapping
// sets it, where nobody else has.

#include <cstddef>
#include <span>

#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::sys {

class MappedFile {
public:
    /// The first bytes of a file, to read: what is written to it shows at once. Errors: sys_errno
    /// ENOMEM, ENODEV (mmap(2)); EBUSY where this process has a handler of its own for SIGBUS.
    static Result<MappedFile> map(const Fd& file, std::size_t bytes);
    MappedFile() = default;
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    /// A look at some of the bytes, by one thread. One at a time for each thread.
    class Reading {
    public:
        /// `count` bytes from `begin`, all of which must lie in the mapping.
        Reading(const MappedFile& file, std::size_t begin, std::size_t count);
        ~Reading();
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;

        std::span<const char> bytes() const { return bytes_; }
        /// Whether what was touched by now was more than the file has: then some of it was zeros,
        /// and those pages are no longer the file's.
        bool was_cut() const;

    private:
        std::span<const char> bytes_;
    };

private:
    explicit MappedFile(std::span<char> memory) : memory_(memory) {}
    std::span<char> memory_;
};

}  // namespace knarr::sys
