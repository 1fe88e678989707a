#pragma once
// Events of containers as docker's `events` has them: which are asked for, and how they look. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "cli/key_value.h"
#include "knarr/events.h"
#include "knarr/result.h"

namespace knarr::cli {

/// What --filter NAME=VALUE asks for: one of the values of each name.
class EventFilter {
public:
    /// Errors: invalid_argument for a name that is not known.
    static Result<EventFilter> parse(const std::vector<std::string_view>& texts);
    bool takes(const LifecycleEvent& event) const;

private:
    static bool fits(std::string_view key, const std::string& value, const LifecycleEvent& event);
    std::vector<KeyValue> wishes_;
};

/// As docker's API has it, on one line; a gap is an event of type "knarr", action "lost".
std::string lifecycle_json(const LifecycleEvent& event);
/// "2026-11-23T00:53:50.000000000Z container start ID (image=box, name=web)".
std::string lifecycle_text(const LifecycleEvent& event);

}  // namespace knarr::cli
