#pragma once
// A container's log on disk, and how a byte gets there.
//
//   program -> FIFO -> spool -> log            DATA_ROOT/containers/ID/logs/0.log, 1.log, ...
//
// The kernel moves bytes from the FIFO (ROOT/ID/stdout, stderr) into the spool (stdout.spool,
// stderr.spool), and says in `log.in` how far that is filled: whoever has it done may be killed at
// any moment, each byte is in one of the two. `log.at` says how much of each spool is in the log
// and where the log ends; it is written with one small pwrite(2) after the log. Who goes on after a
// kill cuts the log there and writes the rest again: no byte is lost and none comes twice.
//
// A spool that is full and in the log begins again: first as filled with nothing, then as taken
// from no more. More taken than filled is one that was killed in between. Its memory is used again
// and again; making and freeing it for each byte costs more than moving it.
//
// A full log is left as it is and the next number begun; the oldest is removed. A number is never
// used again. Who must not miss anything, in front of a program from its beginning, has a shared
// flock(2) on the directory and then on the file that he reads: what is locked stays, and all after
// it.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/log_lines.h"
#include "engine/log_reader.h"
#include "knarr/run.h"
#include "platform/fd.h"
#include "platform/kept_offsets.h"
#include "platform/mapped_file.h"
#include "platform/pages.h"

namespace knarr::engine {

std::string fifo_name(LogStream stream);
/// Where the log of a container with this data directory is.
std::string log_dir_of(const std::string& data_dir);
/// Where what a container writes is kept, and how much of it; nothing where it is not. A terminal's
/// is always kept, for those attached: without a log in its state directory, and little of it.
struct LogPlace {
    std::string dir;
    LogPolicy policy;
};
std::optional<LogPlace> log_place(const LogPolicy& log,
                                  bool terminal,
                                  const std::string& data_dir,
                                  const std::string& state_dir);
/// The numbers of the log files that there are, oldest first.
Result<std::vector<std::uint64_t>> log_numbers(const sys::Fd& log_dir);
std::string log_name(std::uint64_t number);
/// Removes what is too old for `policy` where `newest` is the last number, and read by those who
/// must not miss it.
Result<> remove_old_logs(const sys::Fd& log_dir, const LogPolicy& policy, std::uint64_t newest);

class LogWriter {
public:
    /// Goes on where the last writer of these directories was; with a new file, and a warning,
    /// where what that left is damaged. Errors: sys_errno ENOENT when `log_dir` is not there.
    static Result<LogWriter> open(const sys::Fd& state_dir,
                                  const std::string& log_dir,
                                  const LogPolicy& policy);

    /// Where the log ends.
    LogReader::Place place() const { return {.number = place_.number, .at = place_.end}; }
    /// What was damaged; empty: nothing was.
    const std::string& warning() const { return warning_; }

    enum class More : std::uint8_t { perhaps, empty, ended };
    /// Takes some of what the FIFO holds into the log, and whether there may be more. Errors:
    /// no_space, io; nothing is lost then, and a later call goes on. corrupt: somebody else has cut
    /// or written the files of the state directory; a new writer goes on.
    Result<More> take(LogStream stream, const sys::Fd& fifo);
    /// Takes all that the FIFO holds at the call. What is written meanwhile may stay: who writes
    /// need never stop.
    Result<More> take_held(LogStream stream, const sys::Fd& fifo);
    /// What was used to move bytes goes back to the kernel: for when nothing comes.
    void release_memory();

private:
    /// What log.at says.
    struct Place {
        std::uint64_t number = 0, end = 0;
        std::array<std::uint64_t, 2> taken{};  // from the beginning of the spool
    };
    struct Spool {
        sys::Fd file;
        sys::MappedFile bytes;
    };
    LogWriter() = default;
    Result<> read_place();
    Result<> begin_file();
    Result<> write_place(const Place& place);
    Result<> open_log();
    Result<> rotate();
    /// How much of the spool is filled, as log.in says. Errors: corrupt, also below.
    Result<std::uint64_t> filled(LogStream stream) const;
    Result<std::uint64_t> untaken(LogStream stream) const;
    Result<bool> is_filled_rightly(LogStream stream) const;
    /// A spool that is in the log begins again.
    Result<> begin_again(LogStream stream);
    Result<> flush(LogStream stream);
    /// As sys::move_to_file(), and what was moved is in the log.
    Result<std::optional<std::size_t>> move(LogStream stream, const sys::Fd& fifo);

    std::string warning_;
    LogPolicy policy_;
    sys::Pages memory_;  // for entries
    sys::Fd log_dir_, log_, place_file_;
    Place place_;
    sys::KeptOffsets filled_;
    std::array<Spool, 2> spools_;
};

}  // namespace knarr::engine
