#pragma once
// One direction of a relay as a value: what is held, and when to read and to write. No system
// calls: relay.h moves the bytes.

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace knarr::engine {

/// Bytes that were read and not written yet. Bounded: a sink that takes nothing stops the reading.
class Flow {
public:
    static constexpr std::size_t kRoom = 16384;

    bool wants_to_read() const { return !ended_ && !broken_ && held() < kRoom; }
    bool wants_to_write() const { return !broken_ && held() > 0; }
    /// Everything that came in is out, and no more comes; or nothing more can go out.
    bool is_done() const { return broken_ || (ended_ && held() == 0); }

    std::size_t room() const { return kRoom - held(); }
    /// Where to read to, of the size of room(); never empty while wants_to_read().
    std::span<char> free_part();
    void was_read(std::size_t count);
    std::string_view held_part() const { return {buffer_.data() + begin_, held()}; }
    void was_written(std::size_t count);

    /// The source has no more. `last_words` follow what is held, as far as there is room; again,
    /// when there are more of them.
    void end(std::string_view last_words = {});
    /// Whether the last byte that came in did not end a line.
    bool is_within_line() const { return last_read_ != '\n'; }
    /// The sink takes no more: what is held is lost.
    void break_off() { broken_ = true; }

private:
    std::size_t held() const { return end_ - begin_; }

    std::array<char, kRoom> buffer_{};
    std::size_t begin_ = 0, end_ = 0;
    bool ended_ = false, broken_ = false;
    char last_read_ = '\n';  // the last byte that came in
};

}  // namespace knarr::engine
