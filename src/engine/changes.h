#pragma once
// diff: what a container of an image has in its own layer.

#include <string>
#include <vector>

#include "core/limits.h"
#include "engine/context.h"
#include "knarr/files.h"
#include "platform/fd.h"

namespace knarr::engine {

using Change = FileChange;

/// All changes together: an image or a program may have millions of files with the longest paths.
inline constexpr std::size_t kMaxChangesBytes = 256 * size::kMiB;

/// Changes in the order in which they are noted, within a bound.
class ChangeList {
public:
    explicit ChangeList(std::size_t max_bytes) : max_bytes_(max_bytes) {}
    /// Errors: limit_exceeded.
    Result<> note(char kind, const std::string& path);
    std::size_t size() const { return changes_.size(); }
    void drop_last();
    std::vector<Change> take() && { return std::move(changes_); }

private:
    std::size_t max_bytes_, bytes_ = 0;
    std::vector<Change> changes_;
};

/// What the upper directory of an overlay changes of what is below it, by path. No link of either
/// is followed. Errors: limit_exceeded for a path that no program can name, for more than
/// `max_bytes` together, and for a tree that is too deep.
Result<std::vector<Change>> compare_layer(const sys::Fd& lower,
                                          const sys::Fd& upper,
                                          std::vector<std::string> mounted_on,
                                          std::size_t max_bytes = kMaxChangesBytes);

/// By path. What was made alone for something to be mounted on is left out.
/// Errors: not_found; unsupported for a container of a bundle, which has no layer of its own.
Result<std::vector<Change>> changes_of(const EngineOptions& options, std::string_view id);

}  // namespace knarr::engine
