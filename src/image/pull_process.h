#pragma once
// knarr's side of the wire to knarr-pull.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "image/deadline.h"
#include "image/source.h"
#include "platform/spawn.h"
#include "rpc/transfer.h"

namespace knarr::image {

/// One place to ask, and whom to trust there.
struct Place {
    rpc::Session session = {};
    /// PEM: besides the system's; as whom to appear. May be empty.
    std::string authorities = {}, client_certificate = {}, client_key = {};
};

/// A running knarr-pull, which is taken for hostile: what it says is bounded and checked, what it
/// sends is believed only by digest. It dies with this value and with our process.
class PullProcess {
public:
    using NoticeFn = std::function<void(const std::string&)>;

    /// Starts knarr-pull from the running program's directory, $KNARR_LIBEXEC or
    /// /usr/libexec/knarr, and opens the session: the last place is the registry itself.
    /// Errors: unsupported when there is no knarr-pull; invalid_argument for texts that are too
    /// long for the wire.
    static Result<std::unique_ptr<PullProcess>> start(std::vector<Place> places,
                                                      NoticeFn notice,
                                                      const Deadline& deadline);
    PullProcess(const PullProcess&) = delete;
    PullProcess& operator=(const PullProcess&) = delete;

    Result<std::unique_ptr<ByteStream>> fetch(rpc::FetchKind kind,
                                              std::string target,
                                              std::uint64_t max_bytes,
                                              std::uint64_t size,
                                              std::uint64_t offset = 0);

    /// What became of something that the registry was told to do.
    struct Order {
        std::uint64_t sent = 0;  ///< bytes that went out
        bool done = false;
        std::uint64_t bytes = 0;  ///< in all, once done
        rpc::Outcome how = rpc::Outcome::transferred;
        std::string digest = {};      ///< as the registry says; may be empty
        bool lists_referrer = false;  ///< the registry says that it took note of the subject
        std::optional<Error> failed = {};
    };
    /// Starts to send the bytes of `file`; the ID to ask for news by. `what.id` is chosen here.
    Result<std::uint32_t> push(rpc::Push what, const sys::Fd& file);
    Result<std::uint32_t> remove(std::string digest);
    /// Ends everything. Uploads that are open are given back to the registry, which may take a
    /// little longer than rpc::kLeaveTime; nothing else can be asked afterwards.
    void leave();
    /// News come with pump(). The order is forgotten with forget().
    const Order& order(std::uint32_t id) const { return orders_.at(id); }
    void forget(std::uint32_t id) { orders_.erase(id); }

    int poll_fd() const { return socket_.get(); }
    /// Takes in all events that wait. Errors: the session failed, or knarr-pull is gone or speaks
    /// nonsense; timed_out when it has been silent for longer than any of its own waits, and past
    /// the deadline, which it keeps too, with what it was about.
    Result<> pump();
    Clock::Steady end() const { return deadline_.end + kEndMargin; }

private:
    class Stream;
    /// Its own words for the end of the time come first.
    static constexpr std::chrono::milliseconds kEndMargin{500};
    /// How far one fetch is, as events say.
    struct Progress {
        std::string media_type = {}, link = {};
        bool done = false;
        std::uint64_t bytes = 0;  ///< that went into the pipe, once done
        std::optional<Error> failed = {};
    };

    PullProcess(sys::Helper helper,
                sys::Fd socket,
                NoticeFn notice,
                std::chrono::seconds silence,
                const Deadline& deadline)
        : helper_(std::move(helper)),
          socket_(std::move(socket)),
          notice_(std::move(notice)),
          silence_(silence),
          deadline_(deadline) {}
    Result<> send(const rpc::Request& request, const sys::Fd* pipe = nullptr);
    Result<> send_place(const Place& place);
    Result<> take(rpc::Event event);
    void take_order(Order& order, rpc::Event& event);
    bool is_idle() const { return fetches_.empty() && orders_.empty(); }
    void heard() { last_heard_ = system_clock().steady(); }

    sys::Helper helper_;
    sys::Fd socket_;
    NoticeFn notice_;
    std::chrono::seconds silence_;
    Deadline deadline_;
    Clock::Steady last_heard_ = system_clock().steady();
    std::map<std::uint32_t, Progress> fetches_;
    std::map<std::uint32_t, Order> orders_;
    std::uint32_t next_id_ = 1;
    std::size_t events_ = 0;  // taken in so far
};

}  // namespace knarr::image
