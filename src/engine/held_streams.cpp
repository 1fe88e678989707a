#include "engine/held_streams.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "engine/live.h"
#include "engine/monitor_lock.h"
#include "engine/monitor_start.h"
#include "engine/record.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/process.h"
#include "platform/socket.h"
#include "platform/standard_stream.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

/// More than a terminal holds, by the 4 KiB that it gives at once: past it others are writing.
constexpr int kDrainRounds = 256;
/// How long the journal may take for the last of what a container wrote, as long as it takes any.
constexpr std::chrono::seconds kJournalDelay{30};
constexpr int kJournalPauseMs = 1000;

/// The first error of two things that are done both.
Result<> both(Result<> first, Result<> second) {
    return first ? std::move(second) : std::move(first);
}

}  // namespace

/// The number of the standard input stays taken: a file that is opened later and handed to a
/// program would be in the way there.
Result<> HeldStreams::take_standard_input() {
    sys::Fd given(STDIN_FILENO);
    launcher_ = KNARR_TRY(sys::duplicate(given));
    static_cast<void>(given.release());
    KNARR_TRY(sys::set_nonblocking(launcher_));
    return sys::replace_fd(KNARR_TRY(sys::open_null(O_RDWR)), STDIN_FILENO);
}

void HeldStreams::hold() {
    while (launcher_.valid()) {
        auto packet = sys::receive_packet(launcher_, 16);
        if (packet && !*packet) {
            return;
        }
        if (!packet || (*packet)->closed) {
            launcher_.reset();
            return;
        }
        const std::string& name = (*packet)->bytes;
        if (name == kTerminalEnd) {
            terminal_.hold(std::move((*packet)->fd));
            continue;
        }
        if (name == kTerminalLock) {
            terminal_.hold_lock(std::move((*packet)->fd));
            continue;
        }
        sys::Fd& place = name == kMonitorLock              ? lock_
                         : name == kAttachedEnd            ? attached_
                         : name == name_of(LogStream::out) ? fifos_[0]
                                                           : fifos_[1];
        place = std::move((*packet)->fd);
    }
}

Result<> HeldStreams::receive() {
    hold();
    Result<> begun;
    if (!log_ && lock_.valid() && fifos_[0].valid() && fifos_[1].valid()) {
        begun = begin_log();
    }
    begun = both(std::move(begun), begin_attach());
    if (attached_.valid()) {
        door_.admit(std::move(attached_), terminal());
    }
    return begun;
}

Result<> HeldStreams::open_fifos(const sys::Fd& dir) {
    Result<> done;
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        sys::Fd& fifo = fifos_[static_cast<std::size_t>(stream)];
        if (!fifo.valid()) {
            auto opened = sys::open_fifo_at(dir, fifo_name(stream));
            fifo = opened ? std::move(*opened) : sys::Fd();
            done = both(std::move(done), opened ? Result<>{} : fail(std::move(opened).error()));
        }
    }
    return done;
}

Result<bool> HeldStreams::take_lock() {
    if (lock_.valid()) {
        return true;
    }
    const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id_));
    sys::Fd lock = KNARR_TRY(open_lock(dir, kMonitorLock));
    // Whoever asks whether there is a monitor (is_watched) has it for a moment.
    sys::Patience patience{std::chrono::milliseconds(50)};
    while (!KNARR_TRY(sys::try_lock(lock))) {
        if (!patience.rest()) {
            return false;
        }
    }
    lock_ = std::move(lock);
    return true;
}

Result<> HeldStreams::begin_log() {
    const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id_));
    const auto record = KNARR_TRY(load_record(dir, path_of(context_, id_.text())));
    if (!record || !record->life) {
        return fail(Errc::not_found, "container {} has no record", id_.text());
    }
    const Life& life = *record->life;
    const auto place =
        log_place(life.log, life.terminal, record->data_dir, path_of(context_, id_.text()));
    if (!place) {
        return {};
    }
    log_.emplace(KNARR_TRY(LogWriter::open(dir, place->dir, place->policy)));
    if (!log_->warning().empty()) {
        context_.warn(log_->warning());
    }
    if (life.log.journal) {
        sys::Fd place_dir = KNARR_TRY(sys::duplicate(dir));
        journal_.emplace(
            KNARR_TRY(JournalFeed::open(context_, std::move(place_dir), place->dir, *record)));
        behind_ = true;  // perhaps: of what a killed one left
    }
    return {};
}

/// What is in the log goes to the journal. Whatever that does, the log goes on.
Result<> HeldStreams::feed_journal() {
    behind_ = false;
    if (!journal_) {
        return {};
    }
    const Result<bool> fed = journal_->feed();
    if (!fed) {
        journal_.reset();
        return fail(fed.error());
    }
    behind_ = !*fed;
    return {};
}

/// Opens what those attached need, once the container is ours.
Result<> HeldStreams::begin_attach() {
    if (!lock_.valid() || (door_.is_open() && !(terminal_.is_held() && !terminal_.is_open()))) {
        return {};
    }
    const auto dir = context_.root.open_dir(id_);
    Result<> begun = dir ? Result<>{} : fail(dir.error());
    if (begun && terminal_.is_held() && !terminal_.is_open()) {
        begun = terminal_.open(*dir);
    }
    if (begun && !door_.is_open()) {
        begun = door_.open(*dir);
    }
    return begun || is_removed(context_, id_) ? Result<>{} : std::move(begun);
}

Result<> HeldStreams::feed_journal_to_the_end() {
    const Clock::Steady end = system_clock().steady() + kJournalDelay;
    KNARR_TRY(feed_journal());
    while (behind_ && journal_->socket() >= 0 && system_clock().steady() < end) {
        std::array<sys::Ready, 1> items{sys::Ready{.fd = journal_->socket(), .to_write = true}};
        KNARR_TRY(sys::wait_ready(items, kJournalPauseMs));
        if (!items[0].is_ready) {
            return {};
        }
        KNARR_TRY(feed_journal());
    }
    return {};
}

std::array<sys::Ready, HeldStreams::kItems> HeldStreams::wants(bool reads) const {
    std::array<sys::Ready, kItems> items;
    const bool logs = log_.has_value() && reads;
    items[0] = {.fd = launcher_.get()};
    items[1] = {.fd = logs ? fifos_[0].get() : -1};
    items[2] = {.fd = logs ? fifos_[1].get() : -1};
    items[3] = {.fd = logs && terminal_.is_open() ? terminal_.master().get() : -1};
    items[4] = {.fd = behind_ && journal_ ? journal_->socket() : -1, .to_write = true};
    std::ranges::copy(door_.wants(), items.begin() + 5);
    return items;
}

Result<> HeldStreams::serve(const std::array<sys::Ready, kItems>& ready) {
    Result<> received = receive();
    std::array<sys::Ready, AttachDoor::kItems> attached;
    std::copy(ready.begin() + 5, ready.end(), attached.begin());
    door_.serve(attached, terminal());
    Result<> taken = both(std::move(received),
                          take_ready(ready[3].is_ready, {ready[1].is_ready, ready[2].is_ready}));
    const bool is_more = ready[1].is_ready || ready[2].is_ready || ready[3].is_ready || behind_;
    return is_more ? both(std::move(taken), feed_journal()) : std::move(taken);
}

void HeldStreams::release_memory() {
    if (log_) {
        log_->release_memory();
    }
}

Result<HeldStreams::Back> HeldStreams::take_terminal_back() {
    if (!door_.given_back().valid()) {
        return Back::nothing;
    }
    if (!lost_terminal_ || terminal_.is_held()) {
        door_.forget_given_back();  // another one was faster
        return Back::nothing;
    }
    const auto dir = context_.root.open_dir(id_);
    auto taken = dir ? terminal_.take_back(*dir, door_.given_back()) : fail(dir.error());
    if (taken && !*taken) {
        return Back::later;
    }
    door_.forget_given_back();
    KNARR_TRY(std::move(taken));
    lost_terminal_ = false;
    return Back::held;
}

Result<std::optional<sys::Fd>> HeldStreams::hand_terminal_on() const {
    if (!terminal_.is_held()) {
        return std::nullopt;
    }
    sys::SocketPair pair = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::never_blocks));
    KNARR_TRY(sys::send_packet(pair.ours, kTerminalLock, &terminal_.lock()));
    KNARR_TRY(sys::send_packet(pair.ours, kTerminalEnd, &terminal_.master()));
    return std::move(pair.theirs);
}

/// What the program wrote to its terminal goes into the log.
Result<> HeldStreams::drain_terminal() {
    for (int round = 0; round < kDrainRounds && KNARR_TRY(terminal_.pump()); ++round) {
        KNARR_TRY(take(LogStream::out, Amount::all_held));
    }
    return {};
}

/// Takes some of what is in a stream, or all that is in it now.
Result<> HeldStreams::take(LogStream stream, Amount amount) {
    sys::Fd& fifo = fifos_[static_cast<std::size_t>(stream)];
    if (!fifo.valid() || !log_) {
        return {};
    }
    Result<LogWriter::More> more =
        amount == Amount::some ? log_->take(stream, fifo) : log_->take_held(stream, fifo);
    if (!more && more.error().code == Errc::corrupt) {
        log_.reset();  // begun anew by the next receive()
    }
    if (KNARR_TRY(std::move(more)) == LogWriter::More::ended) {
        fifo.reset();
    }
    return {};
}

/// Takes some of what is ready.
Result<> HeldStreams::take_ready(bool terminal, std::array<bool, 2> streams) {
    Result<> done;
    if (terminal) {
        Result<bool> moved = terminal_.pump();
        streams[0] = streams[0] || (moved && *moved);
        done = moved ? Result<>{} : fail(std::move(moved).error());
    }
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        if (streams[static_cast<std::size_t>(stream)]) {
            done = both(std::move(done), take(stream, Amount::some));
        }
    }
    return done;
}

Result<bool> HeldStreams::drain() {
    Result<> taken = receive();
    if (!log_ && fifos_[0].valid() && !is_removed(context_, id_)) {
        KNARR_TRY(std::move(taken));
        return false;  // what is in the streams waits until there is a log
    }
    taken = drain_terminal();
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        taken = taken ? take(stream, Amount::all_held) : std::move(taken);
    }
    taken = both(std::move(taken), feed_journal_to_the_end());
    if (!taken && !is_removed(context_, id_)) {
        return fail(std::move(taken).error());
    }
    release_memory();
    return true;
}

void HeldStreams::close() {
    door_.close();
    terminal_.close();
}

void HeldStreams::let_go() {
    close();
    log_.reset();
    journal_.reset();
    fifos_ = {};
}

}  // namespace knarr::engine
