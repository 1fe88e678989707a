#pragma once
// Result<T>: a value or an Error. Everything that can fail returns one.

#include <expected>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "knarr/error.h"

namespace knarr {

/// A value, or the reason why there is none.
template <typename T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
public:
    using std::expected<T, Error>::expected;
};

/// Fails with a finding of our own: `return fail(Errc::wrong_state, "{} is {}", id, state);`
template <typename... Args>
std::unexpected<Error> fail(Errc code, fmt::format_string<Args...> text, Args&&... args) {
    return std::unexpected(
        Error{.code = code, .message = fmt::format(text, std::forward<Args>(args)...), .hint = {}});
}

/// The code that a failed system call means: ENOSPC is no_space, EPERM is denied, ...
Errc errc_of(int sys_errno);
/// "openat x: No such file or directory", as an Error.
Error make_errno(int sys_errno, std::string operation);

/// Fails with errno, in the statement after the call: `return fail_errno(errno, "openat {}", p);`
template <typename... Args>
std::unexpected<Error> fail_errno(int sys_errno, fmt::format_string<Args...> text, Args&&... args) {
    return std::unexpected(make_errno(sys_errno, fmt::format(text, std::forward<Args>(args)...)));
}

/// Hands an existing error on: `return fail(std::move(result).error());`
inline std::unexpected<Error> fail(Error error) {
    return std::unexpected(std::move(error));
}

}  // namespace knarr

/// The value of `expr`, or return its Error from the function, with the formatted context (if any)
/// put before its message: `Fd file = KNARR_TRY(open_at(dir, name), "load {}", id);`
#define KNARR_TRY(expr, ...)                                                                      \
    __extension__({                                                                               \
        auto&& knarr_try_result = (expr);                                                         \
        if (!knarr_try_result) {                                                                  \
            return ::std::unexpected(::std::move(knarr_try_result)                                \
                                         .error() __VA_OPT__(.within(fmt::format(__VA_ARGS__)))); \
        }                                                                                         \
        ::knarr::detail::take(::std::move(knarr_try_result));                                     \
    })

namespace knarr::detail {
template <typename T>
T take(std::expected<T, Error>&& result) {
    if constexpr (!std::is_void_v<T>) {
        return *std::move(result);
    }
}
}  // namespace knarr::detail
