#pragma once
// One manifest or blob on its way from a registry into a pipe.

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/fd.h"
#include "registry/job.h"

namespace knarr::registry {

/// After the steps of every job: receiving --whole--> draining --> ended. What broke off is
/// resumed where the pipe stands, at another place too.
///
/// A large blob is asked for by a first piece, as long as the registry gives pieces. Where that was
/// slow, and not for want of a reader, the rest comes over several connections (lanes.h), else over
/// this one.
///
/// A manifest is small: it is collected, and goes into the pipe when it is whole. A blob flows.
class Fetch final : public Job {
public:
    Fetch(JobContext& context, rpc::Fetch what, sys::Fd pipe);

    void tick() override;
    int blocked_pipe() const override;

private:
    std::string object() const override;
    std::string path() const override;
    HttpRequest request() override;
    bool wants(int status) const override { return status == 200 || status == 206; }
    bool begin(const HttpHead& head) override;
    Take take(std::string_view bytes) override;
    void finish(HttpEnd end, const std::string& detail) override;
    bool other(int status) override;
    void again() override;
    bool suits(const Endpoint& endpoint) const override;
    bool is_held_up() const override { return !pending_.empty() || lanes_full_; }
    bool is_running() const override { return exchange_ || lanes_; }

    Take pass_on(std::string_view bytes);
    bool is_manifest() const { return what_.kind == rpc::FetchKind::manifest; }
    bool check_length(const HttpHead& head);
    bool flush();
    bool is_worth_lanes() const;
    void after_first_piece();
    void drive_lanes();
    void leave_lanes();
    void count_progress();

    const rpc::Fetch what_;
    sys::Fd pipe_;
    bool may_resume_ = true;       ///< Range is understood
    bool may_split_ = true;        ///< and more than one connection at once is welcome
    unsigned splits_ = 0;          ///< how often lanes were started
    std::uint64_t piece_end_ = 0;  ///< of the piece that was asked for first; 0: all the rest was
    Clock::Steady piece_start_{};
    Clock::Steady held_since_{};
    Clock::Steady::duration held_{};  ///< so long the pipe was full since piece_start_
    std::unique_ptr<Lanes> lanes_;
    bool lanes_full_ = false;  ///< the pipe takes nothing more for now
    bool head_reported_ = false;
    std::string pending_;     ///< bytes that the pipe did not take yet
    std::uint64_t put_ = 0;   ///< of the object, what knarr has: before, in the pipe, and pending_
    std::uint64_t skip_ = 0;  ///< bytes to drop: we have them and Range was ignored
    std::uint64_t progress_mark_ = 0;
};

}  // namespace knarr::registry
