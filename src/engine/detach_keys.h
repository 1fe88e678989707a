#pragma once
// The keys by which a caller leaves a terminal and the program in it goes on. Pure.

#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::engine {

/// "ctrl-p,ctrl-q" as bytes: keys by commas, each one character or ctrl- with a letter or one of
/// @ [ \ ] ^ _; at most kMaxDetachKeys; none where there is no text. Errors: invalid_argument.
inline constexpr std::size_t kMaxDetachKeys = 64;
Result<std::string> parse_detach_keys(std::string_view text);

/// What is typed, looked through for the keys. They are kept from the program; a beginning that
/// does not go on as the keys do is passed on.
class DetachKeys {
public:
    explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}

    /// What of `typed` is for the program.
    std::string pass(std::string_view typed);
    /// How many keys were kept that may still turn out to be typed.
    std::size_t held() const { return matched_; }
    /// No more is typed: what was kept is for the program, unless all keys came.
    std::string rest();
    /// All keys came; what is typed after them is for nobody.
    bool are_complete() const { return !keys_.empty() && matched_ == keys_.size(); }

private:
    std::string keys_;
    std::size_t matched_ = 0;
};

}  // namespace knarr::engine
