#include "engine/flow.h"

#include <algorithm>

namespace knarr::engine {

std::span<char> Flow::free_part() {
    if (begin_ > 0) {
        std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
        end_ -= begin_;
        begin_ = 0;
    }
    return std::span(buffer_).subspan(end_);
}

void Flow::was_read(std::size_t count) {
    if (count > 0) {
        end_ += count;
        last_read_ = buffer_[end_ - 1];
    }
}

void Flow::was_written(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) {
        begin_ = end_ = 0;
    }
}

void Flow::end(std::string_view last_words) {
    const std::span<char> room = free_part();
    const std::size_t count = std::min(room.size(), last_words.size());
    std::copy_n(last_words.data(), count, room.data());
    end_ += count;
    ended_ = true;
}

}  // namespace knarr::engine
