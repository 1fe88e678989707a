#include "image/platform.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/ascii.h"
#include "core/core.h"

namespace knarr::image {
namespace {

struct Alias {
    std::string_view name, architecture, variant;
};

/// Machine names of the kernel and names in common use, with their GOARCH.
constexpr std::array kAliases = {
    Alias{"x86_64", "amd64", ""},
    Alias{"x86-64", "amd64", ""},
    Alias{"aarch64", "arm64", ""},
    Alias{"armv8l", "arm", "v7"},
    Alias{"armv7l", "arm", "v7"},
    Alias{"armhf", "arm", "v7"},
    Alias{"armv6l", "arm", "v6"},
    Alias{"armel", "arm", "v6"},
    Alias{"armv5tel", "arm", "v5"},
    Alias{"i386", "386", ""},
    Alias{"i486", "386", ""},
    Alias{"i586", "386", ""},
    Alias{"i686", "386", ""},
    Alias{"loongarch64", "loong64", ""},
};

/// The number of "v7"; 0 for none or anything else.
unsigned variant_number(std::string_view variant) {
    const auto number =
        variant.starts_with('v') ? parse_number(variant.substr(1), 99) : std::nullopt;
    return number ? static_cast<unsigned>(*number) : 0;
}

}  // namespace

spec::Platform normalise(spec::Platform platform) {
    platform.os = to_lower(std::move(platform.os));
    platform.architecture = to_lower(std::move(platform.architecture));
    platform.variant = to_lower(std::move(platform.variant));
    if (!platform.variant.empty() && parse_number(platform.variant, 99)) {
        platform.variant.insert(0, "v");
    }
    for (const Alias& alias : kAliases) {
        if (platform.architecture == alias.name) {
            platform.architecture = alias.architecture;
            if (platform.variant.empty()) {
                platform.variant = alias.variant;
            }
        }
    }
    const bool baseline = (platform.architecture == "arm64" && platform.variant == "v8") ||
                          (platform.architecture == "amd64" && platform.variant == "v1");
    if (baseline) {
        platform.variant.clear();
    }
    if (platform.architecture == "arm" && platform.variant.empty()) {
        platform.variant = "v7";
    }
    return platform;
}

spec::Platform host_platform(std::string_view machine) {
    spec::Platform platform;
    platform.os = "linux";
    platform.architecture = machine;
    return normalise(std::move(platform));
}

Result<spec::Platform> parse_platform(std::string_view text) {
    const auto parts = split(text, '/');
    const bool clean = std::ranges::all_of(parts, [](std::string_view part) {
        return !part.empty() && std::ranges::all_of(part, [](char c) {
            return is_alnum(c) || c == '_' || c == '-' || c == '.';
        });
    });
    if (!clean || parts.size() > 3) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("platform \"{}\"", printable(text)),
                          .hint = "write OS/ARCH[/VARIANT], as in linux/arm64"});
    }
    spec::Platform platform;
    if (parts.size() == 1) {
        platform.os = "linux";
        platform.architecture = parts[0];
    } else {
        platform.os = parts[0];
        platform.architecture = parts[1];
        platform.variant = parts.size() == 3 ? parts[2] : std::string_view();
    }
    return normalise(std::move(platform));
}

std::string to_text(const spec::Platform& platform) {
    std::string text = platform.os + "/" + platform.architecture;
    if (!platform.variant.empty()) {
        text += "/" + platform.variant;
    }
    return text;
}

bool satisfies(const spec::Platform& have, const spec::Platform& wanted) {
    const spec::Platform a = normalise(have), b = normalise(wanted);
    if (a.os != b.os || a.architecture != b.architecture) {
        return false;
    }
    if (a.variant == b.variant) {
        return true;
    }
    // A plain amd64 or arm64 program runs on every variant of it; arm programs on newer ones.
    return a.variant.empty() || (a.architecture == "arm" && variant_number(a.variant) != 0 &&
                                 variant_number(a.variant) < variant_number(b.variant));
}

Result<spec::Descriptor> choose_platform(const spec::Index& index, const spec::Platform& wanted) {
    const spec::Descriptor* best = nullptr;
    const spec::Descriptor* unmarked = nullptr;
    std::size_t unmarked_count = 0;
    std::string exists;
    for (const spec::Descriptor& entry : index.manifests) {
        if (!entry.platform || entry.platform->architecture.empty()) {
            unmarked = &entry;
            ++unmarked_count;
            continue;
        }
        // BuildKit marks its attestations so; they are no images.
        if (entry.platform->architecture != "unknown") {
            exists += (exists.empty() ? "" : ", ") + printable(to_text(*entry.platform), 64);
        }
        if (satisfies(*entry.platform, wanted) &&
            (best == nullptr || variant_number(normalise(*entry.platform).variant) >
                                    variant_number(normalise(*best->platform).variant))) {
            best = &entry;
        }
    }
    if (best == nullptr && exists.empty() && unmarked_count == 1) {
        best = unmarked;
    }
    if (best == nullptr) {
        return fail(Error{.code = Errc::platform_mismatch,
                          .message = fmt::format("no variant for {}; there is {}",
                                                 to_text(wanted),
                                                 exists.empty() ? "none" : exists),
                          .hint = "choose one with --platform OS/ARCH[/VARIANT]"});
    }
    return *best;
}

}  // namespace knarr::image
