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
constexpr std::size_t kMaxReasonBytes = 4 * size::kKiB;  // which a pipe holds

/// Our stdout and stderr; many small parts of one are written at once.
class Output {
public:
    Result<> take(const LogPart& part) {
        if (part.error_stream != error_stream_ || held_.size() >= kWrittenAtOnce) {
            KNARR_TRY(flush());
        }
        error_stream_ = part.error_stream;
        held_ += part.text;
        return {};
    }
    Result<> flush() {
        Result<> written = sys::write_all(error_stream_ ? err_.fd() : out_.fd(), held_);
        held_.clear();
        return written;
    }

private:
    sys::StandardStream out_{1}, err_{2};
    bool error_stream_ = false;
    std::string held_;
};

Result<> show(LogReader& reader, sys::DirWatch& changes, const sys::Fd& more) {
    Output output;
    bool last = false;
    while (true) {
        KNARR_TRY(reader.read([&](const LogPart& part) { return output.take(part); }));
        KNARR_TRY(output.flush());
        if (last) {
            return {};
        }
        std::array<sys::Ready, 2> items{sys::Ready{.fd = changes.fd().get()},
                                        sys::Ready{.fd = more.get()}};
        KNARR_TRY(sys::wait_ready(items, -1));
        changes.clear();
        last = items[1].is_ready;
    }
}

}  // namespace

Result<LogShow> LogShow::start(LogReader reader, const std::string& log_dir) {
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
        Result<> shown = sys::keep_only(std::move(keep));
        if (shown) {
            // A terminal signals both of us: what the caller hands on is for the program alone.
            sys::reset_signals(sys::is_forwardable);  // SIGPIPE ends it where nobody reads
            shown = show(reader, changes, pipe.read);
        }
        if (!shown) {
            const std::string why = shown.error().message.substr(0, kMaxReasonBytes);
            static_cast<void>(sys::write_all(reason.write, why));
        }
        _exit(shown ? 0 : 1);
    }
    return LogShow(std::move(clone.pidfd), std::move(pipe.write), std::move(reason.read));
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
