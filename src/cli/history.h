#pragma once
// `knarr events` without an ID: what happened to containers, as docker's events tells it.

#include <string>
#include <string_view>
#include <vector>

#include "cli/verb.h"
#include "knarr/events.h"

namespace knarr::cli {

Result<int> run_history(Context& context, const Parsed& args);

/// What --filter NAME=VALUE asks for: one of the values of each name.
class EventFilter {
public:
    /// Errors: invalid_argument for a name that is not known.
    static Result<EventFilter> parse(const std::vector<std::string_view>& texts);
    bool takes(const HistoryEvent& event) const;

private:
    struct Wish {
        std::string name, value;
    };
    bool fits(const Wish& wish, const HistoryEvent& event) const;
    std::vector<Wish> wishes_;
};

/// As docker's API has it, on one line; a gap is an event of type "knarr", action "lost".
std::string history_json(const HistoryEvent& event);
/// "2026-11-23T00:53:50.000000000Z container start ID (image=box, name=web)".
std::string history_text(const HistoryEvent& event);

}  // namespace knarr::cli
