#include "registry/upload.h"

#include <algorithm>
#include <utility>

#include "core/core.h"

namespace knarr::registry {
namespace {

/// Blobs up to here go out in the request that ends the upload: one round trip less, and little is
/// lost when it breaks.
constexpr std::uint64_t kWholeBytes = 4 * size::kMiB;
/// After a server (or a proxy before it) found a request too large.
constexpr std::uint64_t kSmallChunk = 4 * size::kMiB;
constexpr std::uint64_t kNewsEvery = 256 * size::kKiB;

}  // namespace

std::optional<std::uint64_t> parse_upload_range(std::string_view field) {
    constexpr std::string_view kUnit = "bytes=";
    if (field.starts_with(kUnit)) {
        field.remove_prefix(kUnit.size());
    }
    if (!field.starts_with("0-")) {
        return std::nullopt;
    }
    const auto last = parse_number(field.substr(2), INT64_MAX);
    if (!last) {
        return std::nullopt;
    }
    return *last == 0 ? 0 : *last + 1;
}

Upload::Upload(JobContext& context, rpc::Push what, sys::Fd file)
    : Job(context, what.id),
      what_(std::move(what)),
      file_(std::move(file)),
      act_(what_.kind == rpc::FetchKind::manifest ? Act::manifest : Act::look) {}

Dismissal::Dismissal(HttpClient& http, const HttpRequest& request) {
    if (auto exchange = http.start(request, *this)) {
        exchange_ = *std::move(exchange);
    }
}

bool Upload::suits(const Endpoint& endpoint) const {
    return !endpoint.place.is_mirror;
}

std::string Upload::object() const {
    return fmt::format("{} {}",
                       what_.kind == rpc::FetchKind::manifest ? "manifest" : "blob",
                       printable(what_.target, 80));
}

std::string Upload::path() const {
    switch (act_) {
        case Act::manifest:
            return endpoint().path("manifests/" + what_.target);
        case Act::open:
            return endpoint().path("blobs/uploads/") +
                   (may_mount_ && !what_.mount_from.empty()
                        ? fmt::format("?mount={}&from={}",
                                      percent_encode(what_.target),
                                      percent_encode(what_.mount_from))
                        : std::string());
        default:
            return endpoint().path("blobs/" + what_.target);
    }
}

std::uint64_t Upload::chunk() const {
    return std::min(max_chunk_, what_.size - stored_);
}

HttpRequest Upload::request() {
    out_ = 0;
    HttpRequest request{.headers = {"Expect:"}};  // no wait for a 100 that few servers send
    const std::string octets = "Content-Type: application/octet-stream";
    switch (act_) {
        case Act::look:
            request.method = "HEAD";
            break;
        case Act::open:
            request.method = "POST";
            request.body = HttpBody{};
            break;
        case Act::send:
            request.method = "PATCH";
            request.headers.push_back(octets);
            // A whole blob in one piece goes as docker sends it, without a range.
            if (stored_ > 0 || chunk() < what_.size) {
                request.headers.push_back(
                    fmt::format("Content-Range: {}-{}", stored_, stored_ + chunk() - 1));
            }
            request.body = HttpBody{.file = &file_, .offset = stored_, .bytes = chunk()};
            break;
        case Act::where:
            break;
        case Act::close:
            request.method = "PUT";
            request.headers.push_back(octets);
            request.body =
                HttpBody{.file = &file_, .offset = stored_, .bytes = what_.size - stored_};
            break;
        case Act::manifest:
            request.method = "PUT";
            request.headers.push_back("Content-Type: " + what_.media_type);
            request.body = HttpBody{.file = &file_, .offset = 0, .bytes = what_.size};
            break;
    }
    return request;
}

bool Upload::wants(int status) const {
    switch (act_) {
        case Act::look:
            return status == 200;
        case Act::open:
            return status == 201 || status == 202;
        case Act::send:
            return status == 202 || status == 204;
        case Act::where:
            return status == 204;
        case Act::close:
            return status == 201 || status == 204;
        case Act::manifest:
            break;
    }
    return status == 201 || status == 200;
}

/// The next step, at its own address.
void Upload::go(Act act) {
    act_ = act;
    if (act == Act::send || act == Act::where || act == Act::close) {
        url_ = *location_;
        if (act == Act::close) {
            url_.rest += (url_.rest.find('?') == std::string::npos ? "?digest=" : "&digest=") +
                         percent_encode(what_.target);
        }
    } else {
        give_back();
        stored_ = 0;
        go_home();
    }
    ask();
}

bool Upload::leave() {
    leaving_ = true;
    if (act_ == Act::open && exchange_) {
        return false;  // it may be opened at this moment
    }
    give_back();
    return true;
}

void Upload::give_back() {
    const auto location = std::exchange(location_, std::nullopt);
    // Another host is not asked to delete what the registry names.
    if (location && location->same_origin(endpoint().url)) {
        url_ = *location;
        context_.left_open.push_back(addressed({.method = "DELETE"}));
    }
}

void Upload::again() {
    if (act_ == Act::manifest) {
        ask();
        return;
    }
    // Whether the last request was heard, only the registry knows.
    go(location_ && act_ != Act::close ? Act::where : Act::look);
}

/// Where the upload goes on. False when the job ended for want of it.
bool Upload::take_location() {
    const std::string_view field = head_.field("location");
    if (field.empty()) {
        if (location_) {
            return true;  // as before
        }
        end_with(refused(Errc::registry_failed, "it opened an upload, but did not say where"));
        return false;
    }
    auto to = follow(url_, field);
    if (!to) {
        end_with(std::move(to).error().within(subject()), head_.status);
        return false;
    }
    location_ = *std::move(to);
    return true;
}

void Upload::take_range() {
    const std::uint64_t sent = stored_ + (act_ == Act::send ? chunk() : 0);
    const auto range = parse_upload_range(head_.field("range"));
    stored_ = std::min(range.value_or(act_ == Act::send ? sent : 0), what_.size);
}

void Upload::go_on() {
    go(stored_ < what_.size && what_.size > kWholeBytes ? Act::send : Act::close);
}

void Upload::finish(HttpEnd end, const std::string& detail) {
    if (end != HttpEnd::complete) {
        retry("the connection broke: " + detail,
              context_.retries,
              refused(Errc::registry_failed, detail));
        return;
    }
    switch (act_) {
        case Act::look:
            end_if_right(head_.field("docker-content-digest"), rpc::Outcome::present);
            break;
        case Act::open:
            if (head_.status == 201) {
                end_if_right(head_.field("docker-content-digest"), rpc::Outcome::mounted);
            } else if (take_location() && !leaving_) {
                // What it wants at least in a piece that is not the last one.
                if (const auto least = parse_number(head_.field("oci-chunk-min-length"))) {
                    max_chunk_ = std::max(max_chunk_, *least);
                }
                go_on();
            }
            break;
        case Act::send:
        case Act::where: {
            const std::uint64_t before = stored_;
            if (take_location()) {
                take_range();
                if (stored_ > furthest_) {
                    // Not what was there once before: a registry that loses it is tried no longer.
                    furthest_ = stored_;
                    made_progress();
                } else if (act_ == Act::send && stored_ <= before) {
                    retry("nothing of a piece was taken",
                          context_.retries,
                          refused(Errc::registry_failed,
                                  "it answers that it has the piece, and does not"));
                    break;
                }
                go_on();
            }
            break;
        }
        case Act::close:
        case Act::manifest:
            location_.reset();
            end_if_right(head_.field("docker-content-digest"), rpc::Outcome::transferred);
            break;
    }
}

/// The registry has it; what it calls it must be what we call it.
void Upload::end_if_right(std::string_view digest, rpc::Outcome how) {
    const bool by_digest = what_.target.starts_with("sha256:");
    if (by_digest && !digest.empty() && digest != what_.target) {
        end_with(refused(Errc::digest_mismatch,
                         fmt::format("the registry says that it is {}", printable(digest, 80))));
        return;
    }
    context_.report(rpc::Head{.id = id_,
                              .status = static_cast<std::uint32_t>(head_.status),
                              .media_type = {},
                              .digest = std::string(digest),
                              .lists_referrer = !head_.field("oci-subject").empty()});
    end_well(how == rpc::Outcome::transferred ? what_.size : 0, how);
}

bool Upload::other(int status) {
    if (act_ == Act::look && status == 404) {
        go(Act::open);
        return true;
    }
    if (act_ == Act::open && may_mount_ && !what_.mount_from.empty() && status < 429) {
        may_mount_ = false;  // the other repository is not ours to take from
        go(Act::open);
        return true;
    }
    const bool sends = act_ == Act::send || act_ == Act::close;
    if (sends && status == 413 && !in_pieces_ && what_.size > kSmallChunk) {
        max_chunk_ = kSmallChunk;
        in_pieces_ = true;
        context_.report(rpc::Notice{
            .id = id_, .text = subject() + ": it is too large for one request; sent in pieces"});
        go(Act::open);
        return true;
    }
    if ((sends || act_ == Act::where) && status == 404) {
        location_.reset();
        retry("the upload ran out",
              context_.retries,
              refused(Errc::registry_failed, "the registry forgot the upload"));
        return true;
    }
    if (act_ == Act::send && status == 416) {
        retry("it is not where we are",
              context_.retries,
              refused(Errc::registry_failed, "416: the pieces do not fit"));
        return true;
    }
    return false;
}

void Upload::on_sent(std::uint64_t bytes) {
    Job::on_sent(bytes);
    if (what_.kind == rpc::FetchKind::manifest) {
        return;
    }
    out_ += bytes;
    const std::uint64_t now = stored_ + out_;
    if (now >= told_ + std::max(kNewsEvery, what_.size / 100) ||
        (now == what_.size && now > told_)) {
        told_ = now;
        context_.report(rpc::Sent{.id = id_, .bytes = now});
    }
}

}  // namespace knarr::registry
