#include "registry/job.h"

#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/core.h"
#include "registry/refusal.h"

namespace knarr::registry {
namespace {

constexpr unsigned kMaxRedirects = 5;

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Whether another place may do better.
bool may_be_elsewhere(Errc code) {
    constexpr std::array kCodes{Errc::image_not_found,
                                Errc::unauthorized,
                                Errc::rate_limited,
                                Errc::registry_failed,
                                Errc::timed_out};
    return std::ranges::find(kCodes, code) != kCodes.end();
}

/// A header of the operator's that the login replaces.
bool is_authorization(std::string_view line) {
    constexpr std::string_view kName = "authorization:";
    return line.size() >= kName.size() &&
           to_lower(std::string(line.substr(0, kName.size()))) == kName;
}

}  // namespace

Job::Job(JobContext& context, std::uint32_t id)
    : context_(context),
      id_(id),
      turns_(context.endpoints, [this](const Endpoint& one) { return suits(one); }),
      wake_at_(context.clock->steady()) {}

std::string Job::subject() const {
    const std::string what = object();
    const std::string whose = printable(endpoint().login.subject());
    return what.empty() ? whose : fmt::format("{} of {}", what, whose);
}

Error Job::refused(Errc code, std::string_view what) const {
    return Error{.code = code, .message = fmt::format("{}: {}", subject(), what), .hint = {}};
}

void Job::end_with(Error error, int status) {
    exchange_.reset();
    step_ = Step::ended;
    if (error.code == Errc::unauthorized && rpc::is_plain_by_default(endpoint().place)) {
        error.hint = "it speaks no TLS, and a login goes without only with --plain-http";
    }
    context_.report(rpc::Failed{.id = id_,
                                .code = error.code,
                                .message = std::move(error.message),
                                .hint = std::move(error.hint),
                                .status = static_cast<std::uint32_t>(status)});
}

void Job::end_well(std::uint64_t bytes, rpc::Outcome how) {
    exchange_.reset();
    step_ = Step::ended;
    context_.report(rpc::Done{.id = id_, .bytes = bytes, .how = how});
}

void Job::remember_place() {
    if (turns_.skipped_none()) {
        context_.preferred = turns_.index();
    }
}

void Job::give_up(Error error, int status) {
    if (!may_be_elsewhere(error.code) || lost_ || !turns_.move_on()) {
        end_with(std::move(error), status);
        return;
    }
    exchange_.reset();
    if (!rpc::is_plain_by_default(endpoint().place)) {  // no trouble: it is what docker does
        context_.report(rpc::Notice{
            .id = id_,
            .text = fmt::format("{}; asking {}", error.message, printable(endpoint().url.host))});
    }
    tries_ = stalls_ = 0;
    refreshed_ = false;
    go_home();
    wake_at_ = context_.clock->steady();
    step_ = Step::waiting;
}

void Job::go_home() {
    url_ = endpoint().url;
    url_.rest = path();
    redirects_ = 0;
}

void Job::again() {
    ask();
}

void Job::tick() {
    const Clock::Steady now = context_.clock->steady();
    if (step_ == Step::waiting && now >= wake_at_) {
        if (url_.host.empty()) {
            turns_.begin(context_.preferred);
            go_home();
        }
        again();
    }
    check_time();
}

Clock::Steady Job::next_tick() const {
    if (step_ == Step::waiting) {
        return std::min(wake_at_, context_.end);
    }
    return is_running() && !is_held_up() ? std::min(stall_start_ + context_.stall, context_.end)
                                         : context_.end;
}

void Job::start(const HttpRequest& request, Step step) {
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

HttpRequest Job::addressed(HttpRequest next) {
    next.url = url_;
    // A login is for the registry and for nobody that it points to; so are a host's own headers.
    generation_ = endpoint().login.generation();
    if (is_home()) {
        const std::string& login = endpoint().login.header();
        for (const std::string_view line : split(endpoint().place.headers, '\n')) {
            if (!line.empty() && (login.empty() || !is_authorization(line))) {
                next.headers.emplace_back(line);
            }
        }
        if (!login.empty()) {
            next.headers.push_back("Authorization: " + login);
        }
    }
    const bool own_host = url_.scheme == endpoint().url.scheme && url_.host == endpoint().url.host;
    next.tls = own_host ? &endpoint().tls : &endpoint().elsewhere;
    return next;
}

void Job::ask() {
    start(addressed(request()), Step::asking);
}

/// What the registry wants people to know. Nothing is done about it but telling it.
/// Source: distribution-spec 1.1 "Warnings"; RFC 7234 section 5.5.
void Job::tell_warnings() {
    constexpr std::string_view kBegin = "299 - \"";
    constexpr std::size_t kMaxWarnings = 16;
    for (const auto& [name, value] : head_.fields) {
        if (name != "warning" || !value.starts_with(kBegin) || !value.ends_with('"') ||
            value.size() <= kBegin.size() || context_.warnings.size() >= kMaxWarnings) {
            continue;
        }
        std::string text =
            fmt::format("{} warns: {}",
                        printable(url_.host),
                        printable(value.substr(kBegin.size(), value.size() - kBegin.size() - 1)));
        if (context_.warnings.insert(text).second) {
            context_.report(rpc::Notice{.id = id_, .text = std::move(text)});
        }
    }
}

bool Job::on_head(const HttpHead& head) {
    head_ = head;
    tell_warnings();
    if (step_ != Step::asking || !wants(head.status)) {
        return true;
    }
    if (!begin(head)) {
        return false;
    }
    step_ = Step::receiving;
    refreshed_ = false;  // this login was good; when it runs out there may be one more
    return true;
}

HttpSink::Take Job::on_body(std::string_view bytes) {
    stall_bytes_ += bytes.size();
    if (step_ != Step::receiving) {
        return collect(bytes, limits::kMaxHttpBodyBytes);
    }
    return take(bytes);
}

HttpSink::Take Job::collect(std::string_view bytes, std::uint64_t max) {
    if (answer_.size() + bytes.size() > max) {
        fatal_ = refused(Errc::limit_exceeded,
                         fmt::format("the answer is longer than the {} bytes allowed", max));
        return Take::stop;
    }
    answer_ += bytes;
    return Take::taken;
}

void Job::on_end(HttpEnd end, std::string_view detail_view) {
    const std::string detail = printable(detail_view, kMaxErrorTextBytes);  // of the exchange
    exchange_.reset();
    if (fatal_) {
        Error error = *std::move(fatal_);
        give_up(std::move(error), head_.status);
        return;
    }
    if (end == HttpEnd::bad_tls || end == HttpEnd::no_tls) {
        endpoint().is_dead = true;
        endpoint().speaks_no_tls |= end == HttpEnd::no_tls;
        give_up(refused(Errc::registry_failed, "TLS: " + detail)
                    .advise("for a private certificate give --tls-ca FILE; for a registry without "
                            "TLS on this machine, --plain-http"));
        return;
    }
    if (end == HttpEnd::failed || end == HttpEnd::stopped) {
        give_up(refused(Errc::registry_failed, detail));
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
        finish(end, detail);
    } else if (end == HttpEnd::broken) {
        retry("the connection broke", context_.retries, refused(Errc::registry_failed, detail));
    } else {
        after_answer();
    }
}

void Job::after_answer() {
    const int status = head_.status;
    if (is_redirect(status)) {
        redirect();
    } else if (status == 401 && is_home()) {
        after_unauthorized();
    } else if (!other(status)) {
        after_refusal();
    }
}

void Job::after_refusal() {
    const rpc::Session& place = endpoint().place;
    Refusal refusal = refusal_of(
        head_,
        answer_,
        {.host = url_.host, .logged_in = !place.username.empty() || !place.identity_token.empty()},
        context_.clock->wall());
    Error error = refused(refusal.code, refusal.text);
    error.hint = std::move(refusal.hint);
    if (refusal.may_pass) {
        retry(refusal.reason, context_.retries, std::move(error), refusal.wait);
    } else {
        give_up(std::move(error), head_.status);
    }
}

void Job::redirect() {
    if (++redirects_ > kMaxRedirects) {
        give_up(
            refused(Errc::registry_failed, fmt::format("more than {} redirects", kMaxRedirects)));
        return;
    }
    if (head_.field("location").empty()) {
        give_up(refused(Errc::registry_failed, "a redirect to nowhere"), head_.status);
        return;
    }
    auto to = follow(url_, head_.field("location"));
    if (!to) {
        give_up(std::move(to).error().within(subject()), head_.status);
        return;
    }
    if (!may_leave_home() && !to->same_origin(endpoint().url)) {
        give_up(refused(Errc::registry_failed,
                        fmt::format("a redirect to {}: refused, only the registry itself is to do "
                                    "this",
                                    printable(to->host))),
                head_.status);
        return;
    }
    url_ = *std::move(to);
    ask();
}

void Job::after_unauthorized() {
    Login& login = endpoint().login;
    if (login.generation() != generation_) {
        ask();  // another job has logged in meanwhile
        return;
    }
    if (refreshed_) {
        const std::string& user = endpoint().place.username;
        give_up(refused(Errc::unauthorized,
                        user.empty() ? std::string("refused with the token that it asked for")
                                     : "it refused the login of " + printable(user)),
                head_.status);
        return;
    }
    refreshed_ = true;
    std::vector<Challenge> challenges;
    for (const auto& [name, value] : head_.fields) {
        if (name == "www-authenticate") {
            std::ranges::move(parse_challenges(value), std::back_inserter(challenges));
        }
    }
    auto next = login.answer(challenges);
    if (!next) {
        give_up(std::move(next).error(), head_.status);
    } else if (next->has_value()) {
        const bool own_host = (*next)->url.host == endpoint().url.host;
        (*next)->tls = own_host ? &endpoint().tls : &endpoint().elsewhere;
        start(**next, Step::token);
    } else {
        ask();
    }
}

void Job::after_token(HttpEnd end, const std::string& detail) {
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
    if (auto done = endpoint().login.accept_token(head_.status, answer_); !done) {
        give_up(std::move(done).error(), head_.status);
        return;
    }
    ask();
}

void Job::retry(const std::string& reason,
                unsigned max_retries,
                Error last,
                std::optional<std::chrono::seconds> wait) {
    exchange_.reset();
    if (endpoint().place.is_mirror && turns_.has_next()) {
        max_retries = std::min(max_retries, kMirrorRetries);
    }
    if (tries_ >= max_retries || lost_) {
        endpoint().is_dead |= head_.status == 0;  // nobody answered
        if (tries_ > 0) {
            last.message += fmt::format(" (after {} tries)", tries_ + 1);
        }
        give_up(std::move(last), head_.status);
        return;
    }
    const auto pause = std::min<std::chrono::milliseconds>(
        wait ? std::chrono::milliseconds(*wait) : backoff(tries_), kMaxRetryAfter);
    ++tries_;
    context_.report(rpc::Notice{.id = id_,
                                .text = fmt::format("{}: {}; try {} of {} in {:.1f} s",
                                                    subject(),
                                                    reason,
                                                    tries_ + 1,
                                                    max_retries + 1,
                                                    static_cast<double>(pause.count()) / 1000)});
    // From the registry again: the address that it pointed to may have been the trouble.
    go_home();
    wake_at_ = context_.clock->steady() + pause;
    step_ = Step::waiting;
}

void Job::check_time() {
    if (step_ == Step::ended) {
        return;
    }
    const Clock::Steady now = context_.clock->steady();
    if (now >= context_.end) {
        end_with(rpc::operation_over(subject(), context_.deadline));
        return;
    }
    if (!is_running() || is_held_up()) {
        return;
    }
    if (stall_bytes_ >= kStallBytes) {
        stall_bytes_ = 0;
        stall_start_ = now;
    }
    if (now - stall_start_ < context_.stall) {
        return;
    }
    const std::string reason = fmt::format("no progress for {} s", context_.stall.count());
    const unsigned allowed = stalls_ < kStallRetries ? context_.retries : 0;
    ++stalls_;
    retry(reason, allowed, refused(Errc::timed_out, reason));
}

}  // namespace knarr::registry
