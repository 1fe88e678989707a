#include "engine/log_lines.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace knarr::engine {

namespace {

/// Puts the text there and returns where it ends.
char* put(char* at, std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

}  // namespace

std::string_view name_of(LogStream stream) {
    return stream == LogStream::out ? "stdout" : "stderr";
}

LogBatch make_entries(std::string_view bytes,
                      LogStream stream,
                      std::string_view time,
                      const LogRoom& room) {
    // " F " and the line break come to 4 bytes.
    const std::size_t tag = time.size() + 1 + name_of(stream).size();
    const std::size_t head_size = tag + 3;
    std::array<char, kMaxLogHead> head{};
    if (head_size + 1 > head.size()) {
        return {};  // no time is so long
    }
    put(put(put(put(head.data(), time), " "), name_of(stream)), " F ");
    const std::size_t limit = std::min(room.bytes, room.memory.size());
    LogBatch batch;
    while (batch.consumed < bytes.size()) {
        const std::string_view rest = bytes.substr(batch.consumed);
        const std::string_view window = rest.substr(0, kMaxLogPart + 1);
        const std::size_t end = window.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view part = window.substr(0, whole ? end : kMaxLogPart);
        const std::size_t size = head_size + part.size() + 1;
        const bool is_taken = room.takes_one && batch.consumed == 0;
        if (batch.filled + size > (is_taken ? room.memory.size() : limit)) {
            break;
        }
        char* const entry = room.memory.data() + batch.filled;
        *put(put(entry, {head.data(), head_size}), part) = '\n';
        if (!whole) {
            entry[tag + 1] = 'P';  // not in the head: copying what was just written waits for that
        }
        batch.filled += size;
        batch.consumed += part.size() + (whole ? 1 : 0);
    }
    return batch;
}

std::optional<LogEntry> parse_entry(std::string_view line) {
    const std::size_t time_end = line.find(' ');
    if (time_end == std::string_view::npos) {
        return std::nullopt;
    }
    LogEntry entry{.time = line.substr(0, time_end)};
    std::string_view rest = line.substr(time_end + 1);
    if (rest.starts_with("stderr ")) {
        entry.stream = LogStream::err;
    } else if (!rest.starts_with("stdout ")) {
        return std::nullopt;
    }
    rest.remove_prefix(7);
    if (!rest.starts_with("F ") && !rest.starts_with("P ")) {
        return std::nullopt;
    }
    entry.ends_line = rest.front() == 'F';
    entry.text = rest.substr(2);
    return entry;
}

}  // namespace knarr::engine
