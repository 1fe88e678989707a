#include "image/source.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "core/core.h"
#include "image/reference.h"
#include "platform/socket.h"

namespace knarr::image {
namespace {

/// How often the source's own clock is looked at, when nothing moves.
constexpr std::chrono::milliseconds kIdle{5000};

}  // namespace

Result<std::unique_ptr<ByteStream>> Source::open_rest(const spec::Descriptor& blob,
                                                      std::uint64_t offset) {
    return fail(Errc::internal,
                "{} cannot be read from byte {} on: this source always gives the whole",
                blob.digest.text(),
                offset);
}

Result<> check_name(const Source& source, const std::string& name) {
    if (name.empty()) {
        return {};
    }
    const Reference reference = KNARR_TRY(Reference::parse(name));
    if (!reference.digest() || reference.digest() == source.top_digest()) {
        return {};
    }
    const std::optional<spec::Digest> top = source.top_digest();
    return fail(Error{.code = Errc::digest_mismatch,
                      .message = fmt::format("the name {} has a digest that is not the image's{}",
                                             printable(name),
                                             top ? ", which is " + top->text() : ""),
                      .hint = "write the archive again with NAME:TAG as the image's name"});
}

Result<> wait_for_news(Source& source,
                       std::span<ByteStream* const> streams,
                       const PullOptions& options,
                       Patience patience,
                       std::span<AlsoReady> also) {
    std::vector<sys::Ready> items{{.fd = options.cancel_fd}, {.fd = source.poll_fd()}};
    for (const AlsoReady& one : also) {
        items.push_back({.fd = one.fd});
    }
    for (const ByteStream* stream : streams) {
        items.push_back({.fd = stream != nullptr ? stream->poll_fd() : -1});
    }
    std::chrono::milliseconds timeout{0};
    if (patience == Patience::wait) {
        const auto left =
            std::max(source.end() - system_clock().steady(), Clock::Steady::duration());
        timeout = std::min(kIdle, std::chrono::ceil<std::chrono::milliseconds>(left));
    }
    KNARR_TRY(sys::wait_ready(items, static_cast<int>(timeout.count())));
    if (items[0].is_ready) {
        return fail(Errc::interrupted, "stopped on request");
    }
    for (std::size_t i = 0; i < also.size(); ++i) {
        also[i].is_ready = items[2 + i].is_ready;
    }
    return source.pump();
}

Result<std::string> read_whole(Source& source,
                               ByteStream& stream,
                               std::size_t max,
                               const PullOptions& options) {
    std::string text;
    std::array<char, 16 * size::kKiB> buffer{};
    while (true) {
        const Chunk chunk = KNARR_TRY(stream.read(buffer));
        if (text.size() + chunk.bytes > max) {
            return fail(Errc::limit_exceeded, "it is longer than the {} bytes allowed", max);
        }
        text.append(buffer.data(), chunk.bytes);
        if (chunk.at_end) {
            return text;
        }
        if (chunk.bytes == 0) {
            ByteStream* const one = &stream;
            KNARR_TRY(wait_for_news(source, std::span(&one, 1), options));
        }
    }
}

}  // namespace knarr::image
