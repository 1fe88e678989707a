#include "engine/detach_keys.h"

#include <optional>
#include <utility>

#include "core/text.h"

namespace knarr::engine {

namespace {

constexpr std::string_view kControl = "ctrl-";

/// A control character is its key's code without the upper bits. Source: ASCII.
std::optional<char> key_of(std::string_view text) {
    if (text.size() == 1 && text.front() > ' ' && text.front() <= '~') {
        return text.front();
    }
    if (!text.starts_with(kControl) || text.size() != kControl.size() + 1) {
        return std::nullopt;
    }
    const char key = text.back();
    const bool letter = (key >= 'a' && key <= 'z') || (key >= 'A' && key <= 'Z');
    if (!letter && std::string_view("@[\\]^_").find(key) == std::string_view::npos) {
        return std::nullopt;
    }
    return static_cast<char>(static_cast<unsigned char>(key) & 0x1f);
}

}  // namespace

Result<std::string> parse_detach_keys(std::string_view text) {
    std::string keys;
    if (text.empty()) {
        return keys;  // nothing that is typed leaves
    }
    for (const std::string_view part : split(text, ',')) {
        const auto key = key_of(part);
        if (!key) {
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format(
                          "detach keys \"{}\": \"{}\" is no key", printable(text), printable(part)),
                      .hint = "one character, or ctrl- and a letter or one of @[\\]^_, by "
                              "commas: ctrl-p,ctrl-q"});
        }
        keys += *key;
    }
    if (keys.size() > kMaxDetachKeys) {
        return fail(
            Errc::invalid_argument, "{} detach keys are more than {}", keys.size(), kMaxDetachKeys);
    }
    return keys;
}

std::string DetachKeys::pass(std::string_view typed) {
    std::string out;
    for (const char byte : typed) {
        if (are_complete()) {
            break;
        }
        if (!keys_.empty() && byte == keys_[matched_]) {
            ++matched_;
            continue;
        }
        // The keys so far were not the keys: the longest end of them that may still be is kept.
        std::string held = keys_.substr(0, matched_) + byte;
        matched_ = 0;
        while (!held.empty() && !keys_.starts_with(held)) {
            out += held.front();
            held.erase(held.begin());
        }
        matched_ = held.size();
    }
    return out;
}

std::string DetachKeys::rest() {
    if (are_complete()) {
        return {};
    }
    return keys_.substr(0, std::exchange(matched_, 0));
}

}  // namespace knarr::engine
