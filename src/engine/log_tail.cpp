#include "engine/log_tail.h"

#include <algorithm>
#include <string>

#include "core/limits.h"
#include "engine/log_lines.h"
#include "platform/file.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

constexpr std::uint64_t kBlockBytes = 64 * size::kKiB;
constexpr std::uint64_t kHeadBytes = 64;  // of an entry: its time, its stream, its tag

/// A file, block by block towards its beginning.
class Backwards {
public:
    explicit Backwards(const sys::Fd& file) : file_(file) {}

    /// The place behind the last line break before `at`, or the file's beginning.
    Result<std::uint64_t> line_before(std::uint64_t at) {
        while (at > 0) {
            if (at <= block_at_ || at > block_at_ + block_.size()) {
                const std::uint64_t size = std::min(at, kBlockBytes);
                block_ = KNARR_TRY(sys::read_part(file_, at - size, size), "log");
                block_at_ = at - size;
                if (block_.size() != size) {
                    return fail(Errc::corrupt, "a log became shorter while it was read");
                }
            }
            const std::size_t found =
                std::string_view(block_).substr(0, at - block_at_).rfind('\n');
            if (found != std::string_view::npos) {
                return block_at_ + found + 1;
            }
            at = block_at_;
        }
        return 0;
    }

    /// The first bytes of an entry that line_before() has just found.
    Result<std::string> head_of(std::uint64_t begin, std::uint64_t end) const {
        const std::uint64_t size = std::min(end - begin, kHeadBytes);
        if (begin >= block_at_ && begin + size <= block_at_ + block_.size()) {
            return block_.substr(begin - block_at_, size);
        }
        return sys::read_part(file_, begin, size);
    }

private:
    const sys::Fd& file_;
    std::string block_;
    std::uint64_t block_at_ = 0;
};

}  // namespace

Result<std::optional<std::uint64_t>> TailSearch::look_in(const sys::Fd& file) {
    Backwards lines(file);
    const auto size = static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
    // An entry that is just being written has no line break yet.
    std::uint64_t end = KNARR_TRY(lines.line_before(size));
    if (left_ == 0) {
        return end;
    }
    // An entry that ends a line begins the next place to count from; what follows the last such
    // entry is a line that has not ended yet.
    while (end > 0) {
        const std::uint64_t begin = KNARR_TRY(lines.line_before(end - 1));
        const std::string head = KNARR_TRY(lines.head_of(begin, end - 1), "log");
        const auto entry = parse_entry(head);
        if (entry && entry->ends_line && later_ && --left_ == 0) {
            return end;
        }
        later_ = true;
        end = begin;
    }
    return std::nullopt;
}

}  // namespace knarr::engine
