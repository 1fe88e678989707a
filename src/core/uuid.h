#pragma once

#include <string>

#include "core/clock.h"
#include "core/random.h"

namespace knarr {

/// A time-ordered UUID in its 36-character text form. Source: RFC 9562 section 5.7 (UUIDv7):
/// 48 bits of Unix milliseconds, then random bits.
std::string make_uuid7(const Clock& clock, Random& random);

/// The ID of a container: 64 hexadecimal digits, as docker's and podman's callers expect them. The
/// first 32 are those of a UUIDv7, so that IDs are in the order of time, the others are random.
std::string make_long_id(const Clock& clock, Random& random);

}  // namespace knarr
