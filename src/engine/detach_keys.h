#pragma once
// The keys by which a caller leaves a terminal and the program in it goes on. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::engine {

/// "ctrl-p,ctrl-q" as bytes: keys by commas, each one character or ctrl- with a letter or one of
/// @ [ \ ] ^ _. Errors: invalid_argument.
Result<std::string> parse_detach_keys(std::string_view text);

/// What is typed, looked through for the keys. They are kept from the program; a beginning that
/// does not go on as the keys do is passed on.
class DetachKeys {
public:
    explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}

    /// What of `typed` is for the program.
    std::string pass(std::string_view typed);
    /// All keys came; what is typed after them is for nobody.
    bool are_complete() const { return !keys_.empty() && matched_ == keys_.size(); }

private:
    std::string keys_;
    std::size_t matched_ = 0;
};

}  // namespace knarr::engine
