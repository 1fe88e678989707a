#include "engine/journal.h"

#include <array>
#include <cerrno>

#include <fcntl.h>

#include "core/text.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/sealed_memory.h"
#include "platform/socket.h"
#include "platform/unix_socket.h"

namespace knarr::engine {

namespace {

constexpr const char* kPlaceFile = "journal.at";
constexpr std::size_t kMaxPlaceBytes = 64;
constexpr std::size_t kShortId = 12;
constexpr std::string_view kInfo = "6", kError = "3";  // syslog(3)

/// Nothing where it has not begun, or does not say.
Result<std::optional<LogReader::Place>> read_place(const sys::Fd& state_dir) {
    auto read = sys::read_file_at(state_dir, kPlaceFile, kMaxPlaceBytes);
    if (!read && read.error().sys_errno == ENOENT) {
        return std::nullopt;
    }
    const std::string text = KNARR_TRY(std::move(read));
    const std::string_view found = text;
    const std::size_t blank = found.find(' ');
    const auto number = parse_number(found.substr(0, blank));
    const auto at =
        blank == std::string_view::npos ? std::nullopt : parse_number(found.substr(blank + 1));
    if (!number || !at) {
        return std::nullopt;
    }
    return LogReader::Place{.number = *number, .at = *at};
}

}  // namespace

void add_journal_field(std::string& entry, std::string_view name, std::string_view value) {
    entry += name;
    if (value.find('\n') == std::string_view::npos) {
        entry += '=';
    } else {
        entry += '\n';
        constexpr unsigned kByteBits = 8;
        auto length = static_cast<std::uint64_t>(value.size());
        for (std::size_t i = 0; i < sizeof length; ++i) {
            entry += static_cast<char>(length & 0xffU);
            length >>= kByteBits;
        }
    }
    entry += value;
    entry += '\n';
}

Result<Journal> Journal::open(const std::string& path) {
    Result<sys::Fd> socket = sys::connect_datagram(path);
    if (!socket) {
        Error error = std::move(socket).error();
        error.code = Errc::unsupported;
        return fail(std::move(error)
                        .within("the system's journal")
                        .advise("systemd-journald listens there where it runs; --log-driver "
                                "k8s-file keeps the log without it"));
    }
    KNARR_TRY(sys::set_nonblocking(*socket));
    return Journal(std::move(*socket));
}

Result<> Journal::send(std::string_view entry) const {
    Result<> sent = sys::send_packet(socket_, entry);
    if (sent || sent.error().sys_errno != EMSGSIZE) {
        return sent;
    }
    // Too long for a datagram: it takes the place of one in memory that nobody changes any more.
    const sys::Fd memory = KNARR_TRY(sys::make_sealed_copy("knarr-journal", entry));
    return sys::send_packet(socket_, {}, &memory);
}

Result<JournalFeed> JournalFeed::open(const Context& context,
                                      sys::Fd state_dir,
                                      const std::string& log_dir,
                                      const Record& record) {
    sys::Fd dir = KNARR_TRY(sys::open_path(log_dir, O_RDONLY | O_DIRECTORY), "log");
    return JournalFeed(
        std::move(state_dir), LogReader(context, std::move(dir), LogRequest{}), record);
}

std::string JournalFeed::entry_of(const LogPart& part) const {
    std::string entry;
    std::string_view text = part.text;
    const bool whole = text.ends_with('\n');
    if (whole) {
        text.remove_suffix(1);
    }
    const std::string short_id = record_.id.substr(0, kShortId);
    add_journal_field(entry, "MESSAGE", text);
    add_journal_field(entry, "PRIORITY", part.error_stream ? kError : kInfo);
    add_journal_field(entry, "CONTAINER_ID", short_id);
    add_journal_field(entry, "CONTAINER_ID_FULL", record_.id);
    add_journal_field(entry, "CONTAINER_NAME", record_.name.empty() ? short_id : record_.name);
    add_journal_field(entry, "CONTAINER_TAG", short_id);
    add_journal_field(entry, "IMAGE_NAME", image_name_of(record_));
    add_journal_field(entry, "SYSLOG_IDENTIFIER", short_id);
    add_journal_field(entry, "SYSLOG_TIMESTAMP", part.time);
    if (!whole) {
        add_journal_field(entry, "CONTAINER_PARTIAL_MESSAGE", "true");
    }
    return entry;
}

Result<> JournalFeed::note_place() const {
    const LogReader::Place place = reader_.place();
    return sys::replace_file(state_dir_,
                             kPlaceFile,
                             fmt::format("{} {}", place.number, place.at),
                             0600,
                             sys::Sync::file);
}

Result<bool> JournalFeed::feed() {
    if (!began_) {
        const auto place = KNARR_TRY(read_place(state_dir_), "journal");
        KNARR_TRY(place ? reader_.begin_at(*place) : reader_.begin());
        began_ = true;
    }
    bool takes = true;
    std::size_t count = 0;
    const Result<> told = reader_.read([&](const LogPart& part) -> Result<> {
        if (!journal_) {
            Result<Journal> opened = Journal::open();
            takes = opened.has_value();
            journal_ = KNARR_TRY(std::move(opened));
        }
        Result<> sent = journal_->send(entry_of(part));
        takes = sent.has_value();
        count += takes ? 1 : 0;
        if (!sent && sent.error().sys_errno != EAGAIN) {
            journal_.reset();  // it was started anew: so is the connection
        }
        return sent;
    });
    if (count > 0) {
        KNARR_TRY(note_place(), "journal");
    }
    if (!told && takes) {
        return fail(told.error());
    }
    return takes;
}

}  // namespace knarr::engine
