#pragma once
// What comes back from a child that works as the owner (owner.h), as bytes: the results of the
// methods of Engine about images, the progress of a transfer, what only the owner can read.

#include <functional>
#include <string>
#include <string_view>

#include "engine/owner.h"
#include "knarr/image.h"
#include "knarr/result.h"

namespace knarr::engine {

/// For the types that owner_values.cpp names.
template <typename T>
std::string encode_value(const T& value);
/// Errors: internal for what encode_value has not made.
template <typename T>
Result<T> decode_value(std::string_view bytes);

/// as_owner() for work with such a result.
template <typename T>
Result<T> value_as_owner(const std::function<Result<T>()>& work) {
    if (!is_ordinary_user()) {
        return work();
    }
    const Result<std::string> bytes = as_owner([&]() -> Result<std::string> {
        const T value = KNARR_TRY(work());
        return encode_value(value);
    });
    return bytes ? decode_value<T>(*bytes) : Result<T>(fail(bytes.error()));
}

/// The same below a data root, the way to which is looked at before (check_users_way).
template <typename T>
Result<T> value_as_owner(const std::string& data_root, const std::function<Result<T>()>& work) {
    KNARR_TRY(check_users_way(data_root));
    return value_as_owner<T>(work);
}

/// The same for a transfer: `progress` is told in this process, and what ends the transfer is asked
/// here, too. The work gets both for where it is.
template <typename T>
Result<T> transfer_as_owner(
    const std::string& data_root,
    const PullOptions& options,
    const PullProgressFn& progress,
    const std::function<Result<T>(const PullOptions&, const PullProgressFn&)>& work) {
    if (!is_ordinary_user()) {
        return work(options, progress);
    }
    KNARR_TRY(check_users_way(data_root));
    const auto in_child = [&](const OwnerSide& side) -> Result<std::string> {
        PullOptions own = options;
        own.cancel_fd = side.cancel_fd;
        const T value =
            KNARR_TRY(work(own, [&](const PullProgress& news) { side.tell(encode_value(news)); }));
        return encode_value(value);
    };
    const auto hear = [&](std::string_view bytes) -> Result<> {
        const PullProgress news = KNARR_TRY(decode_value<PullProgress>(bytes));
        if (progress) {
            progress(news);
        }
        return {};
    };
    const Result<std::string> bytes =
        as_owner(in_child, {.hear = hear, .cancel_fd = options.cancel_fd});
    return bytes ? decode_value<T>(*bytes) : Result<T>(fail(bytes.error()));
}

}  // namespace knarr::engine
