#pragma once
// Where those attached to a container reach its monitor: the socket ROOT/ID/attach. They get the
// other side of the program's terminal, where it has one, and learn how it ended; what it writes
// they read in its log.
//
//   monitor                                            attached (attach.h)
//   ---------------------------------------------------------------------------------
//                                     <- connects, or was there before the program
//   (from the launcher, without a terminal)
//   kLog, with the log's directory, locked (log_store.h)
//                                     ->
//   kGreeting, with the terminal      ->
//   or kFull, and hangs up            ->
//                                     <- kTerminal, with it, where the greeting came without
//   ... the program has ended, and all that it wrote is in the log ...
//   kEnd, the exit code, the log's end ->
//                                     <- kDone: it has read the log
//   the container is removed, where it was to be; hangs up
//
// A monitor that is killed hangs up without kEnd; the next one can be connected to. Where both were
// killed and with them the terminal was lost, those attached have it still, and give it back. Who
// is attached is waited for by nobody but the removal of a container, and by that only for a while.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "engine/log_reader.h"
#include "platform/fd.h"
#include "platform/socket.h"

namespace knarr::engine {

inline constexpr const char* kAttachSocket = "attach";
inline constexpr char kGreeting = 'g', kFull = 'f', kEnd = 'x', kDone = 'd', kTerminal = 't',
                      kLog = 'l';
/// One of these words, with a descriptor where there is one.
Result<> send_word(const sys::Fd& socket, char word, const sys::Fd* fd = nullptr);
inline constexpr std::size_t kAttachPacketBytes = 64;

/// What kEnd says.
struct EndWord {
    std::optional<int> code;              // nothing: nobody knows it
    std::optional<LogReader::Place> log;  // where what the run wrote ends; nothing: not known
};
std::string end_packet(const EndWord& word);
EndWord parse_end(std::string_view packet);

class AttachDoor {
public:
    static constexpr std::size_t kMaxAttached = 64;
    static constexpr std::size_t kItems = 1 + kMaxAttached;

    /// Begins to listen in the container's directory.
    Result<> open(const sys::Fd& state_dir);
    bool is_open() const { return listener_.valid(); }
    /// One who was there before the program, by its own pair of sockets. `terminal` may be null.
    void admit(sys::Fd socket, const sys::Fd* terminal);

    std::array<sys::Ready, kItems> wants() const;
    void serve(const std::array<sys::Ready, kItems>& ready, const sys::Fd* terminal);

    /// The terminal that one of those attached gave back; invalid: none did.
    const sys::Fd& given_back() const { return given_back_; }
    void forget_given_back() { given_back_.reset(); }

    /// The program has ended, and all is in the log; told once.
    void tell_end(const EndWord& word);
    /// Whether somebody has been told, not read the log to its end yet, and may still take time.
    bool is_waited_for() const;
    void close();

private:
    struct Attached {
        sys::Fd socket;
        bool done = false;
    };
    sys::Fd listener_;
    std::vector<Attached> attached_;
    sys::Fd given_back_;
    std::optional<Clock::Steady> told_;  // when
};

}  // namespace knarr::engine
