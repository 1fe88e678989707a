#pragma once
// The events of all containers of a state directory: ROOT/.events/log, and log.1 before it. Each
// begins with a line {"first":N}, the number of its first event; one line an event, the oldest
// first. A full one becomes log.1, and the log.1 before is gone: so the log is bounded, and a
// reader that was too slow knows by N how many events it has lost. Nobody waits for a reader.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "engine/context.h"
#include "engine/record.h"
#include "knarr/events.h"
#include "platform/fd.h"
#include "platform/file.h"

namespace knarr::engine {

inline constexpr const char* kEventDir = ".events";  // in ROOT
inline constexpr std::size_t kMaxEventLogBytes = size::kMiB;

/// As the log keeps it: `attributes` are what knarr says, and nothing that an image does.
struct LoggedEvent : LifecycleEvent {
    std::map<std::string, std::string> labels = {};  ///< of the container, and so of its image
    /// Written by a knarr that kept labels among the attributes.
    bool is_mixed = false;
};

/// One line of the log, and back. Errors: corrupt.
std::string encode_event(const LoggedEvent& event);
Result<LoggedEvent> decode_event(std::string_view line);
/// As docker shows it, labels among the attributes; none that is called as one of knarr's.
LifecycleEvent shown_event(const LoggedEvent& event);

/// Appends to the log in `dir`; a file that has more than `max_bytes` is full. One whose first line
/// is damaged counts as full.
Result<> append_event(const sys::Fd& dir, const LoggedEvent& event, std::size_t max_bytes);

/// A file's first line: the number of its first event, and how long the line is.
struct EventHeader {
    std::uint64_t first = 0;
    std::size_t bytes = 0;
};

/// Reads the log in a directory from its beginning, on and on.
class EventReader {
public:
    explicit EventReader(sys::Fd dir) : dir_(std::move(dir)) {}
    /// What has come since the last time. Lines that are no events are left out.
    Result<std::vector<LoggedEvent>> read();
    /// Whether the first line of a file that was read is damaged: events may be missing.
    bool met_damage() const { return met_damage_; }

private:
    Result<> open_oldest();
    void go_to(sys::Fd file, const EventHeader& begin);
    Result<bool> open_next(std::vector<LoggedEvent>& out);
    Result<> read_file(std::vector<LoggedEvent>& out);

    sys::Fd dir_, file_;
    std::uint64_t first_ = 0;  // of file_
    std::uint64_t next_ = 0;   // number of the next event
    std::uint64_t at_ = 0;
    std::string rest_;
    bool is_guessed_ = false;  // the number of file_'s first event
    bool met_damage_ = false;
};

/// What happened just now to this container, with its image and name besides `attributes`, and as
/// many of its labels as have room.
LoggedEvent event_now(const Record& record,
                      std::string_view action,
                      std::map<std::string, std::string> attributes);
/// Notes what happened to a container of an image; for others nothing. That it cannot is a warning.
void note_event(const Context& context,
                const Record& record,
                std::string_view action,
                std::map<std::string, std::string> attributes = {});
/// "die", with what the record says of the end, and "oom" before it.
void note_end_event(const Context& context, const Record& record);
/// What the last "die" of this container says, which stays when the container goes; nothing where
/// it says nothing, or is too long ago. `root`: the state directory.
std::optional<int> noted_exit_code(const std::string& root, const ContainerId& id);

/// Errors: that of `sink`.
Result<> read_events(const Context& context, const EventRequest& request, const EventSink& sink);

}  // namespace knarr::engine
