#pragma once
// --log-driver journald: what stands in a container's log goes to the system's journal, too, entry
// by entry, in its own protocol of datagrams.
//
//   program -> FIFO -> spool -> log (log_store.h) ─JournalFeed─> /run/systemd/journal/socket
//
// The log is what `logs` and `attach` read, and what waits while the journal does not take
// anything: the program never does. `journal.at` in the state directory says how far the journal
// has got. Who is killed between a datagram and that sends the last few once more; none is left out
// but those that were rotated away meanwhile, which is a warning.
//
// Source: systemd, "Native Journal Protocol" (systemd.io/JOURNAL_NATIVE_PROTOCOL); the fields are
// docker's (docs.docker.com, "Journald logging driver").

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/context.h"
#include "engine/log_reader.h"
#include "engine/record.h"
#include "platform/fd.h"

namespace knarr::engine {

inline constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

/// One entry in the journal's form: NAME=VALUE and a line break, or where the value has such, NAME,
/// a line break, the length as 64 bits, little-endian, and the value. Pure.
void add_journal_field(std::string& entry, std::string_view name, std::string_view value);

/// The journal's socket.
class Journal {
public:
    /// Errors: unsupported when there is no journal here.
    static Result<Journal> open(const std::string& path = kJournalSocket);
    /// Errors: sys_errno EAGAIN when it takes nothing now; others when it is gone.
    Result<> send(std::string_view entry) const;
    const sys::Fd& socket() const { return socket_; }

private:
    explicit Journal(sys::Fd socket) : socket_(std::move(socket)) {}
    sys::Fd socket_;
};

/// What of a log the journal has.
class JournalFeed {
public:
    static Result<JournalFeed> open(const Context& context,
                                    sys::Fd state_dir,
                                    const std::string& log_dir,
                                    const Record& record);
    /// Sends what there is. False: the journal takes nothing now, and there is more. Errors: those
    /// of reading the log and of writing how far it has got.
    Result<bool> feed();
    /// Writable when it takes more; -1: it is gone, and is tried again.
    int socket() const { return journal_ ? journal_->socket().get() : -1; }

private:
    JournalFeed(sys::Fd state_dir, LogReader reader, const Record& record)
        : state_dir_(std::move(state_dir)), reader_(std::move(reader)), record_(record) {}
    std::string entry_of(const LogPart& part) const;
    Result<> note_place() const;

    sys::Fd state_dir_;
    LogReader reader_;
    Record record_;
    std::optional<Journal> journal_;
    bool began_ = false;
};

}  // namespace knarr::engine
