#include "registry/lanes.h"

#include <algorithm>
#include <memory>

#include "core/core.h"

namespace knarr::registry {

std::optional<ContentRange> parse_content_range(std::string_view text) {
    constexpr std::string_view kUnit = "bytes ";
    const std::size_t dash = text.find('-'), slash = text.find('/');
    if (!text.starts_with(kUnit) || dash == std::string_view::npos ||
        slash == std::string_view::npos || slash < dash) {
        return std::nullopt;
    }
    const auto first = parse_number(text.substr(kUnit.size(), dash - kUnit.size()));
    const auto last = parse_number(text.substr(dash + 1, slash - dash - 1));
    if (!first || !last || *last < *first) {
        return std::nullopt;
    }
    return ContentRange{
        .first = *first, .last = *last, .total = parse_number(text.substr(slash + 1))};
}

std::string range_header(std::uint64_t first, std::uint64_t last) {
    return fmt::format("Range: bytes={}-{}", first, last);
}

class Lanes::Piece final : public HttpSink {
public:
    Piece(Lanes& lanes, std::uint64_t first, std::uint64_t bytes)
        : lanes_(lanes), first_(first), bytes_(bytes) {
        data_.reserve(bytes);
    }

    void start() {
        HttpRequest request = lanes_.request_;
        request.headers.push_back(range_header(first_, first_ + bytes_ - 1));
        auto exchange = lanes_.http_.start(request, *this);
        if (!exchange) {
            fail_with(0, exchange.error().message);
            return;
        }
        exchange_ = *std::move(exchange);
    }
    std::string_view data() const { return data_; }
    bool is_whole() const { return data_.size() == bytes_; }

private:
    bool on_head(const HttpHead& head) override {
        const auto range = parse_content_range(head.field("content-range"));
        if (head.status == 206 && range && range->first == first_ &&
            range->last == first_ + bytes_ - 1 &&
            range->total.value_or(lanes_.size_) == lanes_.size_) {
            return true;
        }
        fail_with(head.status,
                  head.status == 206 ? "the answer holds another range than asked for"
                                     : fmt::format("a part was answered by {}", head.status));
        return false;
    }
    Take on_body(std::string_view bytes) override {
        if (bytes.size() > bytes_ - data_.size()) {
            fail_with(206, "a part is longer than asked for");
            return Take::stop;
        }
        data_ += bytes;
        lanes_.came_ += bytes.size();
        return Take::taken;
    }
    void on_end(HttpEnd end, std::string_view detail) override {
        exchange_.reset();
        if (end != HttpEnd::complete || !is_whole()) {
            fail_with(0, "the connection broke: " + printable(detail, 256));
        }
    }
    void fail_with(int status, std::string reason) {
        if (!lanes_.failure_) {
            lanes_.failure_ = Failure{.status = status, .reason = std::move(reason)};
        }
    }

    Lanes& lanes_;
    const std::uint64_t first_, bytes_;
    std::string data_;
    std::unique_ptr<HttpExchange> exchange_;
};

Lanes::Lanes(
    HttpClient& http, HttpRequest request, std::uint64_t from, std::uint64_t size, unsigned& spare)
    : http_(http),
      request_(std::move(request)),
      next_(from),
      size_(size),
      spare_(spare),
      count_(std::min(spare, lanes::kPerBlob)) {
    spare_ -= count_;
}

Lanes::~Lanes() {
    spare_ += count_;
}

void Lanes::drive() {
    while (!failure_ && next_ < size_ && pieces_.size() < count_) {
        const std::uint64_t bytes = std::min(lanes::kPieceBytes, size_ - next_);
        pieces_.emplace_back(*this, next_, bytes).start();
        next_ += bytes;
    }
}

std::string_view Lanes::front() const {
    return pieces_.empty() ? std::string_view() : pieces_.front().data().substr(taken_);
}

void Lanes::consume(std::size_t bytes) {
    taken_ += bytes;
    if (pieces_.front().is_whole() && front().empty()) {
        pieces_.pop_front();
        taken_ = 0;
    }
}

std::uint64_t Lanes::take_came() {
    return std::exchange(came_, 0);
}

}  // namespace knarr::registry
