#include "engine/log_show.h"

#include <array>
#include <csignal>
#include <vector>

#include <unistd.h>

#include "core/limits.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/signal.h"
#include "platform/socket.h"
#include "platform/standard_stream.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kWrittenAtOnce = 64 * size::kKiB;
constexpr std::size_t kMaxEndBytes = 64;
constexpr std::string_view kBegin = "b";
constexpr std::size_t kMaxReasonBytes = 4 * size::kKiB;  // which a pipe holds

/// Our stdout and stderr; many small parts of one are written at once.
class Output {
public:
    explicit Output(StandardStreams shown) : shown_(shown) {}
    /// Whether it wrote before, which may have taken long.
    Result<bool> take(const LogPart& part) {
        if (!(part.error_stream ? shown_.err : shown_.out)) {
            return false;
        }
        const bool writes = part.error_stream != error_stream_ || held_.size() >= kWrittenAtOnce;
        if (part.error_stream != error_stream_ || held_.size() >= kWrittenAtOnce) {
            KNARR_TRY(flush());
        }
        error_stream_ = part.error_stream;
        held_ += part.text;
        return writes;
    }
    Result<> flush() {
        Result<> written = sys::write_all(error_stream_ ? err_.fd() : out_.fd(), held_);
        held_.clear();
        return written;
    }

private:
    StandardStreams shown_;
    sys::StandardStream out_{1}, err_{2};
    bool error_stream_ = false;
    std::string held_;
};

/// Where the run's part of the log ends, as LogShow::finish() says it.
Result<std::optional<LogReader::Place>> read_end(const sys::Fd& more) {
    const std::string text = KNARR_TRY(sys::read_all(more, kMaxEndBytes));
    return LogReader::decode(text);
}

Result<> show(LogReader& reader,
              StandardStreams shown,
              sys::DirWatch& changes,
              const sys::Fd& more) {
    std::array<char, kBegin.size()> begin{};
    if (KNARR_TRY(sys::read_some(more, begin)) == 0) {
        return {};  // whom it was for is gone
    }
    Output output(shown);
    bool last = false;
    const auto wait = [&](int timeout_ms) -> Result<> {
        std::array<sys::Ready, 2> items{sys::Ready{.fd = last ? -1 : more.get()},
                                        sys::Ready{.fd = changes.fd().get()}};
        KNARR_TRY(sys::wait_ready(items, timeout_ms));
        if (!items[0].is_ready) {
            return {};
        }
        last = true;
        if (const auto end = KNARR_TRY(read_end(more))) {
            reader.end_at(*end);
        }
        return {};
    };
    const auto take = [&](const LogPart& part) -> Result<> {
        // The next run may have begun while a slow reader made us wait.
        const bool wrote = KNARR_TRY(output.take(part));
        return wrote ? wait(0) : Result<>{};
    };
    while (true) {
        const bool was_last = last;
        KNARR_TRY(reader.read(take));
        KNARR_TRY(output.flush());
        if (was_last) {
            return {};
        }
        KNARR_TRY(wait(last ? 0 : -1));
        changes.clear();
    }
}

}  // namespace

Result<LogShow> LogShow::start(LogReader reader,
                               const std::string& log_dir,
                               StandardStreams shown) {
    sys::DirWatch changes = KNARR_TRY(sys::DirWatch::open_or_tick());
    KNARR_TRY(changes.add(log_dir), "log");
    sys::Pipe pipe = KNARR_TRY(sys::make_pipe());
    sys::Pipe reason = KNARR_TRY(sys::make_pipe());
    sys::Clone clone = KNARR_TRY(sys::clone_process(0), "show the log");
    if (clone.in_child()) {
        // What else the caller holds ends when the caller closes it.
        std::vector<int> keep = reader.descriptors();
        keep.insert(keep.end(), {changes.fd().get(), pipe.read.get(), reason.write.get()});
        std::erase(keep, -1);
        Result<> done = sys::keep_only(std::move(keep));
        if (done) {
            // A terminal signals both of us: what the caller hands on is for the program alone.
            sys::reset_signals(sys::is_forwardable);  // SIGPIPE ends it where nobody reads
            done = show(reader, shown, changes, pipe.read);
        }
        if (!done) {
            const std::string why = done.error().message.substr(0, kMaxReasonBytes);
            static_cast<void>(sys::write_all(reason.write, why));
        }
        _exit(done ? 0 : 1);
    }
    return LogShow(std::move(clone.pidfd), std::move(pipe.write), std::move(reason.read));
}

void LogShow::begin() {
    // Fails where the child has ended, which its process tells.
    static_cast<void>(sys::write_all(more_, kBegin));
}

void LogShow::finish(const std::optional<LogReader::Place>& end) {
    if (end) {
        // Fails where the child has ended, which its process tells.
        static_cast<void>(sys::write_all(more_, LogReader::encode(*end)));
    }
    more_.reset();
}

LogShow::~LogShow() {
    if (process_.valid()) {
        sys::kill_and_reap(process_);
    }
}

Result<> LogShow::end() {
    const sys::Fd process = std::move(process_);
    const sys::ExitStatus status = KNARR_TRY(sys::reap(process));
    if (status.value == 0 && !status.signaled) {
        return {};
    }
    const std::string why = status.signaled
                                ? fmt::format("its child was ended by {}",
                                              sys::signal_name(static_cast<int>(status.value)))
                                : KNARR_TRY(sys::read_all(reason_, kMaxReasonBytes));
    return fail(Error{.code = Errc::io,
                      .message = status.signaled && status.value == SIGPIPE
                                     ? "nobody reads any more what the program writes"
                                     : "what the program writes cannot be shown: " + why,
                      .hint = "the program goes on: knarr logs, attach and stop find it"});
}

}  // namespace knarr::engine
