#include "registry/fetch.h"

#include <algorithm>

#include "core/core.h"
#include "platform/socket.h"
#include "spec/image.h"

namespace knarr::registry {
namespace {

constexpr std::chrono::seconds kAtOnce{0};
/// A first piece that takes longer than at 64 MiB a second, without the time that nobody took its
/// bytes, is waited for, not worked on.
constexpr std::chrono::milliseconds kSlowPiece{lanes::kPieceBytes / (64 * size::kKiB)};
/// Lanes that broke so often are too many for somebody on the way.
constexpr unsigned kMaxSplits = 3;

/// Accept of manifests: single ones and indexes, OCI's and Docker's.
std::string accept_header() {
    return fmt::format("Accept: {}, {}, {}, {}",
                       spec::media::kOciIndex,
                       spec::media::kOciManifest,
                       spec::media::kDockerList,
                       spec::media::kDockerManifest);
}

}  // namespace

Fetch::Fetch(JobContext& context, rpc::Fetch what, sys::Fd pipe)
    : Job(context, what.id), what_(std::move(what)), pipe_(std::move(pipe)), put_(what_.offset) {
    progress_mark_ = put_;
}

std::string Fetch::object() const {
    return fmt::format("{} {}", is_manifest() ? "manifest" : "blob", printable(what_.target, 80));
}

std::string Fetch::path() const {
    return endpoint().path((is_manifest() ? "manifests/" : "blobs/") + what_.target);
}

bool Fetch::suits(const Endpoint& endpoint) const {
    return !endpoint.place.digests_only || what_.target.starts_with("sha256:");
}

void Fetch::tick() {
    Job::tick();
    if (!pending_.empty() && flush() && exchange_ && pending_.empty()) {
        stall_start_ = context_.clock->steady();  // the reader was slow, not the registry
        held_ += stall_start_ - held_since_;
        exchange_->resume();
    }
    if (lanes_) {
        drive_lanes();
    }
    if (step_ == Step::draining && pending_.empty()) {
        pipe_.reset();
        end_well(put_ - what_.offset);
    }
}

int Fetch::blocked_pipe() const {
    return is_held_up() ? pipe_.get() : -1;
}

/// Writes what is pending. False when the fetch ended because nobody reads any more.
bool Fetch::flush() {
    while (!pending_.empty()) {
        const auto put = sys::write_some(pipe_, pending_);
        if (!put) {
            end_with(refused(Errc::io, "the reader of the pipe is gone"));
            return false;
        }
        if (!put->has_value()) {
            break;
        }
        pending_.erase(0, **put);
    }
    return true;
}

HttpRequest Fetch::request() {
    HttpRequest request;
    if (is_manifest()) {
        request.headers.push_back(accept_header());
    }
    piece_end_ = is_worth_lanes() ? put_ + lanes::kPieceBytes : 0;
    if (piece_end_ != 0) {
        request.headers.push_back(range_header(put_, piece_end_ - 1));
    } else if (put_ > 0 && may_resume_) {
        request.headers.push_back(fmt::format("Range: bytes={}-", put_));
    }
    return request;
}

bool Fetch::begin(const HttpHead& head) {
    skip_ = 0;
    piece_start_ = context_.clock->steady();
    held_ = {};
    if (head.status == 200) {
        skip_ = put_;
        piece_end_ = 0;
        may_split_ = false;
    } else {
        const auto range = parse_content_range(head.field("content-range"));
        if ((put_ == 0 && piece_end_ == 0) || !range || range->first != put_ ||
            (range->total && what_.size != 0 && *range->total != what_.size)) {
            fatal_ =
                refused(Errc::registry_failed, "the answer holds another range than asked for");
            return false;
        }
        if (piece_end_ != 0) {  // it may be another one than was asked for
            piece_end_ = range->last + 1 < what_.size ? range->last + 1 : 0;
        }
    }
    if (!check_length(head)) {
        return false;
    }
    if (!head_reported_) {
        head_reported_ = true;
        context_.report(rpc::Head{
            .id = id_,
            .status = static_cast<std::uint32_t>(head.status),
            .media_type = std::string(head.field("content-type")),
            .digest = std::string(head.field("docker-content-digest")),
            .length = piece_end_ != 0
                          ? what_.size
                          : parse_number(head.field("content-length"), INT64_MAX).value_or(0)});
    }
    return true;
}

/// A length that cannot be right is known before the first byte.
bool Fetch::check_length(const HttpHead& head) {
    const auto length = parse_number(head.field("content-length"));
    if (!length) {
        return true;
    }
    const std::uint64_t before = head.status == 206 ? put_ : 0;
    if (what_.size != 0 && *length + before != (piece_end_ != 0 ? piece_end_ : what_.size)) {
        fatal_ = refused(
            Errc::registry_failed,
            fmt::format(
                "it has {} bytes here, but {} in the manifest", *length + before, what_.size));
        return false;
    }
    if (*length > what_.max_bytes) {
        fatal_ = refused(
            Errc::limit_exceeded,
            fmt::format("it has {} bytes; at most {} are allowed", *length, what_.max_bytes));
        return false;
    }
    return true;
}

HttpSink::Take Fetch::take(std::string_view bytes) {
    if (is_manifest()) {
        return collect(bytes, what_.max_bytes);
    }
    return pending_.empty() ? pass_on(bytes) : Take::later;
}

/// Into the pipe, and what it does not take into pending_.
HttpSink::Take Fetch::pass_on(std::string_view bytes) {
    const std::uint64_t skipped = std::min<std::uint64_t>(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    const std::uint64_t bound = what_.size != 0 ? what_.size : what_.max_bytes;
    if (bytes.size() > bound - std::min(put_, bound)) {
        fatal_ = refused(what_.size != 0 ? Errc::registry_failed : Errc::limit_exceeded,
                         fmt::format("it is longer than the {} bytes {}",
                                     bound,
                                     what_.size != 0 ? "of the manifest" : "allowed"));
        return Take::stop;
    }
    put_ += bytes.size();
    // Without a known size, the end of a blob that broke off cannot be told from its middle.
    lost_ = what_.size == 0 && put_ > 0;
    count_progress();
    const auto wrote = sys::write_some(pipe_, bytes);
    if (!wrote) {
        fatal_ = refused(Errc::io, "the reader of the pipe is gone");
        return Take::stop;
    }
    pending_ = bytes.substr(wrote->value_or(0));
    held_since_ = context_.clock->steady();  // if anything is pending
    return Take::taken;
}

void Fetch::count_progress() {
    if (put_ >= progress_mark_ + kProgressBytes) {
        progress_mark_ = put_;
        made_progress();
    }
}

/// Whether what follows put_ is asked for in pieces, if the registry has them.
bool Fetch::is_worth_lanes() const {
    return !is_manifest() && may_resume_ && may_split_ && splits_ < kMaxSplits &&
           what_.size >= put_ + lanes::kLeastBytes;
}

void Fetch::after_first_piece() {
    remember_place();
    const auto waited = context_.clock->steady() - piece_start_ - held_;
    if (waited < kSlowPiece || context_.spare_lanes < 2) {
        may_split_ = false;  // the rest as one
        ask();
        return;
    }
    ++splits_;
    lanes_ = std::make_unique<Lanes>(
        *context_.http, addressed(HttpRequest{}), put_, what_.size, context_.spare_lanes);
    drive_lanes();
}

/// Hands on what came, in order.
void Fetch::drive_lanes() {
    if (step_ != Step::receiving) {
        leave_lanes();  // no progress, or the time is over
        return;
    }
    on_sent(lanes_->take_came());
    while (pending_.empty() && !lanes_->front().empty()) {
        const auto wrote = sys::write_some(pipe_, lanes_->front());
        if (!wrote) {
            end_with(refused(Errc::io, "the reader of the pipe is gone"));
            lanes_.reset();
            return;
        }
        lanes_full_ = !wrote->has_value();
        if (lanes_full_) {
            break;
        }
        lanes_->consume(**wrote);
        put_ += **wrote;
        stall_start_ = context_.clock->steady();
        count_progress();
    }
    if (lanes_->done()) {
        leave_lanes();
        step_ = Step::draining;
        return;
    }
    if (lanes_->failure()) {
        const Lanes::Failure failure = *lanes_->failure();
        leave_lanes();
        may_split_ = may_split_ && failure.status == 0;
        retry(failure.reason,
              context_.retries,
              refused(Errc::registry_failed, failure.reason),
              failure.status != 0 ? std::optional(kAtOnce) : std::nullopt);
        return;
    }
    lanes_->drive();
}

/// What has come without a gap is kept.
void Fetch::leave_lanes() {
    if (step_ != Step::ended) {
        pending_ += lanes_->front();
        put_ += lanes_->front().size();
    }
    lanes_.reset();
    lanes_full_ = false;
}

void Fetch::finish(HttpEnd end, const std::string& detail) {
    if (end == HttpEnd::complete && piece_end_ != 0 && put_ == piece_end_) {
        after_first_piece();
        return;
    }
    const std::uint64_t came = is_manifest() ? answer_.size() : put_;
    const bool whole =
        end == HttpEnd::complete && skip_ == 0 && (what_.size == 0 || came == what_.size);
    if (!whole) {
        const std::string reason = what_.size != 0
                                       ? fmt::format("only {} of {} bytes came", came, what_.size)
                                       : fmt::format("the connection broke: {}", detail);
        retry(reason, context_.retries, refused(Errc::registry_failed, reason));
        return;
    }
    if (is_manifest()) {
        pending_ = std::move(answer_);
        put_ = pending_.size();
    }
    remember_place();
    step_ = Step::draining;
    tick();
}

bool Fetch::other(int status) {
    if ((status == 416 || status == 400) && piece_end_ != 0) {
        may_split_ = false;
        retry("it is not given in pieces",
              context_.retries,
              refused(Errc::registry_failed, "no pieces"),
              kAtOnce);
        return true;
    }
    if (status == 416 && put_ > 0 && may_resume_) {
        may_resume_ = false;
        retry("it cannot be resumed",
              context_.retries,
              refused(Errc::registry_failed, "416"),
              kAtOnce);
        return true;
    }
    if (status == 403 && !is_home() && put_ > 0) {
        // The signed address of the store behind the registry ran out: ask for a new one.
        retry("the address expired", context_.retries, refused(Errc::unauthorized, "403"), kAtOnce);
        return true;
    }
    return false;
}

void Fetch::again() {
    if (what_.size != 0 && put_ == what_.size && !is_manifest()) {
        step_ = Step::draining;  // everything came before
        return;
    }
    ask();
}

}  // namespace knarr::registry
