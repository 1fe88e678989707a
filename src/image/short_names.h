#pragma once
// What a name without a registry means, by podman's registries.conf; where that says nothing, it is
// Docker Hub's.
// Source: containers-registries.conf(5), "short-name-mode", "unqualified-search-registries".

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "image/reference.h"
#include "knarr/result.h"

namespace knarr::image {

/// What to do about several registries to search. Nobody is asked: podman's "enforcing" is a
/// question to a person there, and an error here.
enum class ShortNameMode : std::uint8_t { enforcing, permissive };

struct ShortNames {
    std::vector<std::string> search;  ///< "quay.io", in their order
    ShortNameMode mode = ShortNameMode::enforcing;
    std::map<std::string, std::string>
        aliases;  ///< "fedora" -> "registry.fedoraproject.org/fedora"
};

/// Adds what a file says: a list or a mode stands in for the earlier one, an alias for the one of
/// the same name, and an empty one takes it away.
/// Errors: invalid_argument with the file and the line.
Result<> add_short_names(ShortNames& names, std::string_view text, const std::string& path);

/// Of all the operator's files.
Result<ShortNames> load_short_names();

/// Whether `text` names no registry.
bool is_short_name(std::string_view text);

/// Whether an image is looked for here or to be fetched.
enum class Wanted : std::uint8_t { stored, fetched };

/// The names that `text` may mean, the first one first: what it is an alias of, else it in each of
/// the registries to search. Of what is stored, at last Docker Hub's, which is how names without a
/// registry are given (`tag`). One name where `text` has a registry.
/// Errors: those of Reference::parse; invalid_argument for `fetched` when the mode is enforcing and
/// there are several.
Result<std::vector<Reference>> meanings(std::string_view text,
                                        const ShortNames& names,
                                        Wanted wanted);
/// The same by the operator's files, which are read for short names only.
Result<std::vector<Reference>> meanings(std::string_view text, Wanted wanted);

}  // namespace knarr::image
