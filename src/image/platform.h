#pragma once
// Which of an image's variants to take.

#include <string>
#include <string_view>

#include "knarr/result.h"
#include "spec/image.h"

namespace knarr::image {

/// The platform that containers run on here, from the machine name as in uname -m. Always Linux.
spec::Platform host_platform(std::string_view machine);

/// "OS/ARCH[/VARIANT]", or "ARCH" alone for Linux. Errors: invalid_argument.
Result<spec::Platform> parse_platform(std::string_view text);

/// One spelling for each: x86_64 is amd64, aarch64 is arm64 (whose v8 is left out), armhf is
/// arm/v7. Source: image-spec image-index.md "Platform Variants"; GOARCH values.
spec::Platform normalise(spec::Platform platform);

/// "linux/arm/v7".
std::string to_text(const spec::Platform& platform);

/// True when a program for `have` runs on `wanted`: same system and architecture, and for arm a
/// variant that is not newer. Both are normalised first.
bool satisfies(const spec::Platform& have, const spec::Platform& wanted);

/// The entry of `index` that fits `wanted` best: the same variant, else the newest older one, else
/// the only entry without a platform. Errors: platform_mismatch, listing what there is.
Result<spec::Descriptor> choose_platform(const spec::Index& index, const spec::Platform& wanted);

}  // namespace knarr::image
