#include "registry/fetch.h"

#include <algorithm>

#include "core/core.h"
#include "platform/socket.h"
#include "spec/image.h"
#include "spec/registry.h"

namespace knarr::registry {
namespace {

constexpr std::chrono::seconds kAtOnce{0};
constexpr unsigned kMaxRedirects = 5;
constexpr std::size_t kMaxErrorTextBytes = 512;

/// Accept of manifests: single ones and indexes, OCI's and Docker's.
std::string accept_header() {
    return fmt::format("Accept: {}, {}, {}, {}",
                       spec::media::kOciIndex,
                       spec::media::kOciManifest,
                       spec::media::kDockerList,
                       spec::media::kDockerManifest);
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// What an error answer says, for people: "DENIED: requested access is denied"; may be empty.
std::string error_text(std::string_view body) {
    constexpr std::size_t kMaxErrorsShown = 3;
    std::string text;
    std::size_t shown = 0;
    for (const spec::RegistryError& error : spec::decode_registry_errors(body)) {
        if (shown++ == kMaxErrorsShown) {
            break;
        }
        text += (text.empty() ? "" : "; ") + error.code;
        text += error.code.empty() || error.message.empty() ? error.message : ": " + error.message;
    }
    return text;
}

/// "bytes 100-199/200": first and total. Source: RFC 9110 section 14.4.
struct ContentRange {
    std::uint64_t first = 0;
    std::optional<std::uint64_t> total;
};
std::optional<ContentRange> parse_content_range(std::string_view text) {
    constexpr std::string_view kUnit = "bytes ";
    const std::size_t dash = text.find('-'), slash = text.find('/');
    if (!text.starts_with(kUnit) || dash == std::string_view::npos ||
        slash == std::string_view::npos || slash < dash) {
        return std::nullopt;
    }
    const auto first = parse_number(text.substr(kUnit.size(), dash - kUnit.size()));
    if (!first) {
        return std::nullopt;
    }
    return ContentRange{.first = *first, .total = parse_number(text.substr(slash + 1))};
}

}  // namespace

Fetch::Fetch(FetchContext& context, rpc::Fetch what, sys::Fd pipe)
    : context_(context),
      what_(std::move(what)),
      pipe_(std::move(pipe)),
      url_(context.registry),
      wake_at_(context.clock->steady()) {
    url_.rest = what_.kind == rpc::FetchKind::manifest
                    ? manifest_path(context.repository, what_.target)
                    : blob_path(context.repository, what_.target);
}

std::string Fetch::object_path() const {
    return is_manifest() ? manifest_path(context_.repository, what_.target)
                         : blob_path(context_.repository, what_.target);
}

std::string Fetch::subject() const {
    return fmt::format("{} {} of {}",
                       is_manifest() ? "manifest" : "blob",
                       printable(what_.target, 80),
                       printable(context_.login->subject()));
}

Error Fetch::refused(Errc code, std::string_view what) const {
    return Error{.code = code, .message = fmt::format("{}: {}", subject(), what), .hint = {}};
}

void Fetch::end_with(Error error, int status) {
    exchange_.reset();
    pipe_.reset();
    step_ = Step::ended;
    context_.report(rpc::Failed{.id = what_.id,
                                .code = error.code,
                                .message = std::move(error.message),
                                .hint = std::move(error.hint),
                                .status = static_cast<std::uint32_t>(status)});
}

void Fetch::tick() {
    const Clock::Steady now = context_.clock->steady();
    if (step_ == Step::waiting && now >= wake_at_) {
        ask();
    }
    if (!pending_.empty() && flush() && exchange_ && pending_.empty()) {
        stall_start_ = now;  // the reader was slow, not the registry
        exchange_->resume();
    }
    if (step_ == Step::draining && pending_.empty()) {
        pipe_.reset();
        step_ = Step::ended;
        context_.report(rpc::Done{.id = what_.id, .bytes = put_});
    }
    check_stall();
}

int Fetch::blocked_pipe() const {
    return pending_.empty() ? -1 : pipe_.get();
}

Clock::Steady Fetch::next_tick() const {
    if (step_ == Step::waiting) {
        return wake_at_;
    }
    return exchange_ && pending_.empty() ? stall_start_ + context_.stall : Clock::Steady::max();
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

void Fetch::start(const HttpRequest& request, Step step) {
    head_ = HttpHead{};
    answer_.clear();
    fatal_.reset();
    stall_start_ = context_.clock->steady();
    stall_bytes_ = 0;
    step_ = step;
    auto exchange = context_.http->start(request, *this);
    if (!exchange) {
        end_with(std::move(exchange).error());
        return;
    }
    exchange_ = *std::move(exchange);
}

void Fetch::ask() {
    HttpRequest request{.url = url_};
    if (is_manifest()) {
        request.headers.push_back(accept_header());
    }
    // A login is for the registry and for nobody that it points to.
    generation_ = context_.login->generation();
    if (url_.same_origin(context_.registry) && !context_.login->header().empty()) {
        request.headers.push_back("Authorization: " + context_.login->header());
    }
    if (put_ > 0 && may_resume_) {
        request.headers.push_back(fmt::format("Range: bytes={}-", put_));
    }
    start(request, Step::asking);
}

bool Fetch::on_head(const HttpHead& head) {
    head_ = head;
    if (step_ == Step::asking && (head.status == 200 || head.status == 206)) {
        return begin_body(head);
    }
    return true;
}

bool Fetch::begin_body(const HttpHead& head) {
    skip_ = 0;
    if (head.status == 200) {
        skip_ = put_;
    } else {
        const auto range = parse_content_range(head.field("content-range"));
        if (put_ == 0 || !range || range->first != put_ ||
            (range->total && what_.size != 0 && *range->total != what_.size)) {
            fatal_ =
                refused(Errc::registry_failed, "the answer holds another range than asked for");
            return false;
        }
    }
    if (!check_length(head)) {
        return false;
    }
    if (!head_reported_) {
        head_reported_ = true;
        context_.report(
            rpc::Head{.id = what_.id,
                      .status = static_cast<std::uint32_t>(head.status),
                      .media_type = std::string(head.field("content-type")),
                      .digest = std::string(head.field("docker-content-digest")),
                      .length = parse_number(head.field("content-length"), INT64_MAX).value_or(0)});
    }
    step_ = Step::receiving;
    refreshed_ = false;  // this login was good; when it runs out there may be one more
    return true;
}

/// A length that cannot be right is known before the first byte.
bool Fetch::check_length(const HttpHead& head) {
    const auto length = parse_number(head.field("content-length"));
    if (!length) {
        return true;
    }
    const std::uint64_t before = head.status == 206 ? put_ : 0;
    if (what_.size != 0 && *length + before != what_.size) {
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

HttpSink::Take Fetch::on_body(std::string_view bytes) {
    stall_bytes_ += bytes.size();
    if (step_ != Step::receiving) {
        return collect(bytes, limits::kMaxHttpBodyBytes);
    }
    if (is_manifest()) {
        return collect(bytes, what_.max_bytes);
    }
    if (!pending_.empty()) {
        return Take::later;
    }
    return pass_on(bytes);
}

HttpSink::Take Fetch::collect(std::string_view bytes, std::uint64_t max) {
    if (answer_.size() + bytes.size() > max) {
        fatal_ = refused(Errc::limit_exceeded,
                         fmt::format("the answer is longer than the {} bytes allowed", max));
        return Take::stop;
    }
    answer_ += bytes;
    return Take::taken;
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
    const auto wrote = sys::write_some(pipe_, bytes);
    if (!wrote) {
        fatal_ = refused(Errc::io, "the reader of the pipe is gone");
        return Take::stop;
    }
    pending_ = bytes.substr(wrote->value_or(0));
    return Take::taken;
}

void Fetch::on_end(HttpEnd end, std::string_view detail_view) {
    const std::string detail = printable(detail_view, kMaxErrorTextBytes);  // of the exchange
    exchange_.reset();
    if (fatal_) {
        end_with(*std::move(fatal_), head_.status);
        return;
    }
    if (end == HttpEnd::bad_tls) {
        end_with(refused(Errc::registry_failed, "TLS: " + detail)
                     .advise("for a private certificate give --tls-ca FILE; for a registry without "
                             "TLS on this machine, --plain-http"));
        return;
    }
    if (end == HttpEnd::failed || end == HttpEnd::stopped) {
        end_with(refused(Errc::registry_failed, detail));
        return;
    }
    if (end == HttpEnd::no_connect) {
        retry("no connection",
              std::min(kConnectRetries, context_.retries),
              refused(Errc::registry_failed, detail));
        return;
    }
    if (step_ == Step::token) {
        after_token(end, detail);
    } else if (step_ == Step::receiving) {
        after_body(end, detail);
    } else if (end == HttpEnd::broken) {
        retry("the connection broke", context_.retries, refused(Errc::registry_failed, detail));
    } else {
        after_answer();
    }
}

void Fetch::after_body(HttpEnd end, const std::string& detail) {
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
    step_ = Step::draining;
    tick();
}

void Fetch::after_answer() {
    const int status = head_.status;
    if (is_redirect(status)) {
        redirect();
    } else if (status == 401 && url_.same_origin(context_.registry)) {
        after_unauthorized();
    } else if (status == 416 && put_ > 0 && may_resume_) {
        may_resume_ = false;
        retry("it cannot be resumed",
              context_.retries,
              refused(Errc::registry_failed, "416"),
              kAtOnce);
    } else if (status == 403 && !url_.same_origin(context_.registry) && put_ > 0) {
        // The signed address of the store behind the registry ran out: ask for a new one.
        retry("the address expired", context_.retries, refused(Errc::unauthorized, "403"), kAtOnce);
    } else {
        after_refusal();
    }
}

void Fetch::after_refusal() {
    const int status = head_.status;
    const auto said = error_text(answer_);
    const std::string why = fmt::format("{} answered {}{}{}",
                                        printable(url_.host),
                                        status,
                                        said.empty() ? "" : ": ",
                                        printable(said, kMaxErrorTextBytes));
    const auto after = parse_retry_after(head_.field("retry-after"), context_.clock->wall());
    if (status == 404) {
        end_with(refused(Errc::image_not_found, why), status);
    } else if (status == 401 || status == 403) {
        end_with(refused(Errc::unauthorized, why), status);
    } else if (status == 429) {
        Error error = refused(Errc::rate_limited, "too many requests: " + why);
        if (after && *after > kMaxRetryAfter) {
            error.hint = fmt::format("the registry asks to wait {} s; or log in for a higher limit",
                                     after->count());
            end_with(std::move(error), status);
        } else {
            retry("the registry limits our rate", context_.retries, std::move(error), after);
        }
    } else if (status == 408 || status >= 500) {
        retry(why, context_.retries, refused(Errc::registry_failed, why), after);
    } else {
        end_with(refused(Errc::registry_failed, why), status);
    }
}

void Fetch::redirect() {
    if (++redirects_ > kMaxRedirects) {
        end_with(
            refused(Errc::registry_failed, fmt::format("more than {} redirects", kMaxRedirects)));
        return;
    }
    if (head_.field("location").empty()) {
        end_with(refused(Errc::registry_failed, "a redirect to nowhere"), head_.status);
        return;
    }
    auto to = follow(url_, head_.field("location"));
    if (!to) {
        end_with(std::move(to).error().within(subject()), head_.status);
        return;
    }
    url_ = *std::move(to);
    ask();
}

void Fetch::after_unauthorized() {
    if (context_.login->generation() != generation_) {
        ask();  // another fetch has logged in meanwhile
        return;
    }
    if (refreshed_) {
        end_with(refused(Errc::unauthorized, "refused after logging in"), head_.status);
        return;
    }
    refreshed_ = true;
    std::vector<Challenge> challenges;
    for (const auto& [name, value] : head_.fields) {
        if (name == "www-authenticate") {
            std::ranges::move(parse_challenges(value), std::back_inserter(challenges));
        }
    }
    auto next = context_.login->answer(challenges);
    if (!next) {
        end_with(std::move(next).error(), head_.status);
    } else if (next->has_value()) {
        start(**next, Step::token);
    } else {
        ask();
    }
}

void Fetch::after_token(HttpEnd end, const std::string& detail) {
    if (end == HttpEnd::broken || head_.status >= 500 || head_.status == 429) {
        refreshed_ = false;
        const std::string reason = end == HttpEnd::broken
                                       ? "the token server: " + detail
                                       : fmt::format("the token server answered {}", head_.status);
        retry(reason,
              context_.retries,
              refused(head_.status == 429 ? Errc::rate_limited : Errc::registry_failed, reason),
              parse_retry_after(head_.field("retry-after"), context_.clock->wall()));
        return;
    }
    if (auto done = context_.login->accept_token(head_.status, answer_); !done) {
        end_with(std::move(done).error(), head_.status);
        return;
    }
    ask();
}

void Fetch::retry(std::string reason,
                  unsigned max_retries,
                  Error last,
                  std::optional<std::chrono::seconds> wait) {
    exchange_.reset();
    if (put_ >= progress_mark_ + kProgressBytes) {
        progress_mark_ = put_;
        tries_ = stalls_ = 0;
    }
    // Without a known size, the end of a blob that broke off cannot be told from its middle.
    const bool lost = put_ > 0 && what_.size == 0;
    if (tries_ >= max_retries || lost) {
        if (tries_ > 0) {
            last.message += fmt::format(" (after {} tries)", tries_ + 1);
        }
        end_with(std::move(last), head_.status);
        return;
    }
    const auto pause = std::min<std::chrono::milliseconds>(
        wait ? std::chrono::milliseconds(*wait) : backoff(tries_), kMaxRetryAfter);
    ++tries_;
    context_.report(rpc::Notice{.id = what_.id,
                                .text = fmt::format("{}: {}; try {} of {} in {:.1f} s",
                                                    subject(),
                                                    reason,
                                                    tries_ + 1,
                                                    max_retries + 1,
                                                    static_cast<double>(pause.count()) / 1000)});
    // From the registry again: the address that it pointed to may have been the trouble.
    url_ = context_.registry;
    url_.rest = object_path();
    redirects_ = 0;
    wake_at_ = context_.clock->steady() + pause;
    step_ = Step::waiting;
}

void Fetch::check_stall() {
    if (!exchange_ || !pending_.empty()) {
        return;
    }
    const Clock::Steady now = context_.clock->steady();
    if (stall_bytes_ >= kStallBytes) {
        stall_bytes_ = 0;
        stall_start_ = now;
    }
    if (now - stall_start_ < context_.stall) {
        return;
    }
    const std::string reason =
        fmt::format("no progress for {} s, {} bytes were received", context_.stall.count(), put_);
    const unsigned allowed = stalls_ < kStallRetries ? context_.retries : 0;
    ++stalls_;
    retry(reason, allowed, refused(Errc::timed_out, reason));
}

}  // namespace knarr::registry
