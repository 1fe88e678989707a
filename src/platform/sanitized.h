#pragma once
// Whether this build is watched over by AddressSanitizer, which makes calls and keeps data of its
// own.

namespace knarr::sys {

#ifdef __has_feature
inline constexpr bool kIsSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace knarr::sys
