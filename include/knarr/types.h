#pragma once
// Small values that every door and every room shares.

#include <cstdint>
#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr {

/// The kind of wall around a container.
enum class Isolation : std::uint8_t { native, microvm, wasm, host };

std::string_view name_of(Isolation isolation);
/// Errors: invalid_argument, naming the four kinds.
Result<Isolation> parse_isolation(std::string_view text);

/// Source: runtime-spec runtime.md "State"; paused is runc's addition.
enum class ContainerState : std::uint8_t { creating, created, running, paused, stopped };
std::string_view name_of(ContainerState state);

/// A container's ID that cannot exist unchecked: 1 to 128 characters, letters, digits, '-' and '_'
/// (and '.', '+' after the first character, as runc allows), never "." or "..".
class ContainerId {
public:
    /// Errors: invalid_argument, saying what is allowed.
    static Result<ContainerId> parse(std::string_view text);
    const std::string& text() const { return text_; }
    auto operator<=>(const ContainerId&) const = default;

private:
    explicit ContainerId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace knarr
