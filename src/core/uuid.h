#pragma once

#include <string>

#include "core/clock.h"
#include "core/random.h"

namespace knarr {

/// A time-ordered UUID in its 36-character text form. Source: RFC 9562 section 5.7 (UUIDv7):
/// 48 bits of Unix milliseconds, then random bits.
std::string make_uuid7(const Clock& clock, Random& random);

}  // namespace knarr
