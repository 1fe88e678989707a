#pragma once
// registries.conf: mirrors, other locations, insecure and blocked registries, as podman has them.
// Source: containers-registries.conf(5), version 2.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/reference.h"
#include "knarr/result.h"

namespace knarr::image {

/// Which references a mirror is for.
enum class MirrorUse : std::uint8_t { all, digests, tags };

struct MirrorEntry {
    std::string location;
    bool insecure = false;
    MirrorUse use = MirrorUse::all;
};

struct RegistryEntry {
    std::string prefix;    ///< "r.io", "r.io/team", "*.r.io"
    std::string location;  ///< what stands in the prefix's place; empty: the same
    bool insecure = false, blocked = false;
    std::vector<MirrorEntry> mirrors;
};

/// The registries of one file. Settings about short names are those of short_names.h. Errors:
/// invalid_argument with the file and the line.
Result<std::vector<RegistryEntry>> parse_registries(std::string_view text, const std::string& path);

/// Adds the entries of a later file: one with the same prefix stands in for the earlier.
void merge_registries(std::vector<RegistryEntry>& all, std::vector<RegistryEntry> later);

/// The entry with the longest prefix of the reference; null when there is none.
const RegistryEntry* find_registry(const std::vector<RegistryEntry>& all,
                                   const Reference& reference);

/// Where to ask: a registry and a repository in it.
struct RewrittenPlace {
    std::string registry, repository;
    bool insecure = false;
};
/// The places of an image by its entry, mirrors first (without them for anything but a pull), the
/// registry itself last. Errors: denied for a blocked one; invalid_argument for a location that
/// makes no name.
Result<std::vector<RewrittenPlace>> rewrite(const RegistryEntry& entry,
                                            const Reference& reference,
                                            bool with_mirrors);

}  // namespace knarr::image
