#pragma once
// The lines of a container's log, in the format of the CRI:
//
//   2026-11-23T00:53:50.123456789Z stdout F what the program wrote
//
// `F` ends a line of the program; `P` is a part of one without its line break. Put together again,
// an F with a line break and a P without one, they are byte for byte what the program wrote.
// Pure: no files and no clock.
// Source: Kubernetes, "CRI container log" (kuberuntime logs: RFC 3339 with nanoseconds, stream,
// tag).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace knarr::engine {

enum class LogStream : std::uint8_t { out, err };
std::string_view name_of(LogStream stream);

/// The longest part of a line that is one entry, as containerd has it.
inline constexpr std::size_t kMaxLogPart = std::size_t{16} * 1024;

/// The most that an entry has besides its part: time, stream, tag, blanks and line break.
inline constexpr std::size_t kMaxLogHead = 64;

/// Where entries are put.
struct LogRoom {
    std::span<char> memory;  // kMaxLogPart + kMaxLogHead bytes or more
    std::size_t bytes = 0;   // how many of them may be filled
    bool takes_one = false;  // the first entry, however long: `bytes` is not what a file may have
};
struct LogBatch {
    std::size_t filled = 0;    // bytes of entries, each with its line break
    std::size_t consumed = 0;  // bytes of the input that they hold
};
/// Entries for the beginning of `bytes`, as many as there is room for.
LogBatch make_entries(std::string_view bytes,
                      LogStream stream,
                      std::string_view time,
                      const LogRoom& room);

struct LogEntry {
    std::string_view time;
    LogStream stream = LogStream::out;
    bool ends_line = false;
    std::string_view text;
};
/// One line of the log, without its line break; nothing for what is none.
std::optional<LogEntry> parse_entry(std::string_view line);

}  // namespace knarr::engine
