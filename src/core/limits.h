#pragma once
// Bounds that more than one file holds, or that a policy moves. One that a single file holds stands
// there. The error for exceeding a bound names it and its value.

#include <cstdint>
#include <string_view>

namespace knarr {

namespace size {
inline constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;
}

/// Bounds that do not depend on the policy.
namespace limits {
inline constexpr std::size_t kMaxReferenceBytes = 512;
inline constexpr std::size_t kMaxLayers = 128;
inline constexpr std::size_t kMaxManifestBytes = size::kMiB;
inline constexpr std::size_t kMaxImageConfigBytes = size::kMiB;
inline constexpr std::size_t kMaxInFlightBlobs = 256;
inline constexpr std::size_t kMaxBundleConfigBytes = 4 * size::kMiB;      // runtime config.json
inline constexpr std::size_t kMaxSeccompProfileBytes = 512 * size::kKiB;  // Docker's: 16 KiB
inline constexpr std::size_t kMaxStateBytes = 8 * size::kMiB;             // a container's record
inline constexpr int kMaxSymlinkDepth = 40;
inline constexpr std::size_t kMaxPathBytes = 4096;
inline constexpr std::size_t kMaxHttpBodyBytes = size::kMiB;  // tokens, error bodies
inline constexpr int kLockWaitSeconds = 10;                   // for another knarr on one container
inline constexpr int kKillWaitSeconds = 10;                   // until a SIGKILLed process is gone
}  // namespace limits

/// Bounds that the operator chooses by policy (--policy).
struct Limits {
    std::string_view policy = "default";
    std::uint64_t max_layer_bytes = 16 * size::kGiB;   // decompressed
    std::uint64_t max_rootfs_bytes = 64 * size::kGiB;  // all layers together
    std::uint64_t max_layer_entries = 2'000'000;
    std::int64_t default_memory_bytes = 0;  // 0: no limit unless one is asked for
    std::int64_t max_memory_bytes = 0;      // 0: no bound
};

inline constexpr Limits kDefaultLimits{};
inline constexpr Limits kStrictLimits{
    .policy = "strict",
    .max_layer_bytes = 512 * size::kMiB,
    .max_rootfs_bytes = 4 * size::kGiB,
    .max_layer_entries = 100'000,
    .default_memory_bytes = static_cast<std::int64_t>(256 * size::kMiB),
    .max_memory_bytes = static_cast<std::int64_t>(8 * size::kGiB),
};

}  // namespace knarr
