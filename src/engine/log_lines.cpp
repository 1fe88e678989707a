#include "engine/log_lines.h"

#include <algorithm>

namespace knarr::engine {

std::string_view name_of(LogStream stream) {
    return stream == LogStream::out ? "stdout" : "stderr";
}

LogBatch make_entries(std::string_view bytes,
                      LogStream stream,
                      std::string_view time,
                      std::size_t room,
                      bool must_take_one) {
    LogBatch batch;
    std::string head(time);
    head += ' ';
    head += name_of(stream);
    while (batch.consumed < bytes.size()) {
        const std::string_view rest = bytes.substr(batch.consumed);
        const std::string_view window = rest.substr(0, kMaxLogPart + 1);
        const std::size_t end = window.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view part =
            whole ? window.substr(0, end) : window.substr(0, std::min(rest.size(), kMaxLogPart));
        constexpr std::size_t kTagAndBreak = 4;
        const std::size_t size = head.size() + part.size() + kTagAndBreak;
        const bool first = batch.consumed == 0 && must_take_one;
        if (batch.text.size() + size > room && !first) {
            break;
        }
        batch.text += head;
        batch.text += whole ? " F " : " P ";
        batch.text += part;
        batch.text += '\n';
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
