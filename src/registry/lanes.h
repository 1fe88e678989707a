#pragma once
// One large blob over several connections: pieces of it by Range, handed on in their order.
//
//   a piece   lanes::kPieceBytes of the blob, collected in memory
//   a lane    a connection's worth of work: one piece at a time
//
// As many pieces are under way or waiting for their turn as there are lanes, so that what is kept
// has a bound. A lane knows no redirects, logins or tries: whatever is not the piece that was asked
// for ends all lanes, and who started them goes on as ever.

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "registry/http.h"

namespace knarr::registry {

namespace lanes {
inline constexpr std::uint64_t kPieceBytes = std::uint64_t{4} * 1024 * 1024;
/// Smaller blobs, or rests of them, are not worth it.
inline constexpr std::uint64_t kLeastBytes = 4 * kPieceBytes;
/// For one blob; for all together, which is what they may take of memory.
inline constexpr unsigned kPerBlob = 4, kAllTogether = 6;
}  // namespace lanes

/// "bytes 100-199/200". Source: RFC 9110 section 14.4.
struct ContentRange {
    std::uint64_t first = 0, last = 0;
    std::optional<std::uint64_t> total;
};
std::optional<ContentRange> parse_content_range(std::string_view text);
/// "Range: bytes=FIRST-LAST".
std::string range_header(std::uint64_t first, std::uint64_t last);

class Lanes {
public:
    /// Of a blob of `size` bytes, those from `from` on. `request` has all but the range; what it
    /// points to outlives this. `spare`: lanes that nobody uses, of which some are taken.
    Lanes(HttpClient& http,
          HttpRequest request,
          std::uint64_t from,
          std::uint64_t size,
          unsigned& spare);
    ~Lanes();
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;

    /// Starts what can be started.
    void drive();
    /// The next bytes in order that have come; empty: none have.
    std::string_view front() const;
    /// So many of them were taken.
    void consume(std::size_t bytes);
    /// All was taken.
    bool done() const { return next_ == size_ && pieces_.empty(); }
    /// Bytes that came since the last call.
    std::uint64_t take_came();

    struct Failure {
        int status = 0;  ///< of an answer that is not the piece; 0: none, the connection broke
        std::string reason;
    };
    /// Why nothing more will come; what front() has is good all the same.
    const std::optional<Failure>& failure() const { return failure_; }

private:
    class Piece;

    HttpClient& http_;
    const HttpRequest request_;
    std::uint64_t next_;  // of the first byte that no piece has
    const std::uint64_t size_;
    unsigned& spare_;
    const unsigned count_;
    std::list<Piece> pieces_;  // in order
    std::size_t taken_ = 0;    // of the first piece
    std::uint64_t came_ = 0;
    std::optional<Failure> failure_;
};

}  // namespace knarr::registry
