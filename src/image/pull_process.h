#pragma once
// knarr's side of the wire to knarr-pull.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/clock.h"
#include "image/source.h"
#include "platform/spawn.h"
#include "rpc/transfer.h"

namespace knarr::image {

/// A running knarr-pull, which is taken for hostile: what it says is bounded and checked, what it
/// sends is believed only by digest. It dies with this value and with our process.
class PullProcess {
public:
    using NoticeFn = std::function<void(const std::string&)>;

    /// Starts knarr-pull from the running program's directory, $KNARR_LIBEXEC or
    /// /usr/libexec/knarr, and opens the session. `pem` may be empty.
    /// Errors: unsupported when there is no knarr-pull; invalid_argument for texts that are too
    /// long for the wire.
    static Result<std::unique_ptr<PullProcess>> start(const rpc::Session& session,
                                                      std::string_view pem,
                                                      NoticeFn notice);
    PullProcess(const PullProcess&) = delete;
    PullProcess& operator=(const PullProcess&) = delete;

    Result<std::unique_ptr<ByteStream>> fetch(rpc::FetchKind kind,
                                              std::string target,
                                              std::uint64_t max_bytes,
                                              std::uint64_t size);

    int poll_fd() const { return socket_.get(); }
    /// Takes in all events that wait. Errors: the session failed, or knarr-pull is gone or speaks
    /// nonsense; timed_out when it has been silent for longer than any of its own waits.
    Result<> pump();

private:
    class Stream;
    /// How far one fetch is, as events say.
    struct Progress {
        std::string media_type = {};
        bool done = false;
        std::uint64_t bytes = 0;  ///< that went into the pipe, once done
        std::optional<Error> failed = {};
    };

    PullProcess(sys::Helper helper, sys::Fd socket, NoticeFn notice, std::chrono::seconds silence)
        : helper_(std::move(helper)),
          socket_(std::move(socket)),
          notice_(std::move(notice)),
          silence_(silence) {}
    Result<> send(const rpc::Request& request, const sys::Fd* pipe = nullptr);
    Result<> take(rpc::Event event);
    void heard() { last_heard_ = system_clock().steady(); }

    sys::Helper helper_;
    sys::Fd socket_;
    NoticeFn notice_;
    std::chrono::seconds silence_;
    Clock::Steady last_heard_ = system_clock().steady();
    std::map<std::uint32_t, Progress> fetches_;
    std::uint32_t next_id_ = 1;
    std::size_t events_ = 0;  // taken in so far
};

}  // namespace knarr::image
