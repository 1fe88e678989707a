#pragma once
// --filter of the verbs that prune, one for containers, images, volumes, networks and `system`.
// Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::cli {

/// Which keys a verb has besides label and label!.
struct PruneKeys {
    bool until = true;
    std::string_view truth = {};  // one whose value is true or false: "dangling"; empty: none
};

class PruneFilter {
public:
    /// "KEY=VALUE" each: label and label! (KEY or KEY=VALUE), until (made before: "24h" ago, a
    /// date, seconds since 1970), in relation to `now_ns`. Errors: invalid_argument naming what is
    /// known.
    static Result<PruneFilter> parse(const std::vector<std::string_view>& texts,
                                     PruneKeys keys,
                                     std::int64_t now_ns);

    /// Whether something with these labels, made at that moment (RFC 3339), is to go: it has each
    /// label, none of those with `label!`, and is as old as each `until` says.
    bool fits(const std::map<std::string, std::string>& labels, const std::string& made) const;
    /// Whether any of them was asked for.
    bool chooses() const { return !labels_.empty() || !not_labels_.empty() || !until_.empty(); }
    bool has_until() const { return !until_.empty(); }
    /// What the key with a truth was given, the last time.
    std::optional<bool> truth() const { return truth_; }

private:
    std::vector<std::string> labels_, not_labels_;
    std::vector<std::int64_t> until_;  // seconds since 1970
    std::optional<bool> truth_;
};

}  // namespace knarr::cli
