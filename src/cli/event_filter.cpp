#include "cli/event_filter.h"

#include <algorithm>
#include <array>

#include "cli/image_name.h"
#include "cli/key_value.h"
#include "core/clock.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::array<std::string_view, 6> kFilters{
    "container", "event", "image", "label", "type", "scope"};
constexpr std::string_view kType = "container", kOwnType = "knarr", kScope = "local";

std::string_view type_of(const LifecycleEvent& event) {
    return event.lost > 0 ? kOwnType : kType;
}

std::string_view attribute(const LifecycleEvent& event, const std::string& name) {
    const auto at = event.attributes.find(name);
    return at == event.attributes.end() ? std::string_view{} : std::string_view(at->second);
}

std::int64_t nanoseconds_of(const std::string& time) {
    return parse_time(time).value_or(Clock::Wall{}).time_since_epoch().count();
}

}  // namespace

Result<EventFilter> EventFilter::parse(const std::vector<std::string_view>& texts) {
    EventFilter filter;
    for (const std::string_view text : texts) {
        const std::size_t equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        if (equals == std::string_view::npos ||
            std::ranges::find(kFilters, name) == kFilters.end()) {
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--filter \"{}\" is not known", printable(text)),
                      .hint = "container=, event=, image=, label=, type= and scope= are"});
        }
        filter.wishes_.push_back(
            {.key = std::string(name), .value = std::string(text.substr(equals + 1))});
    }
    return filter;
}

bool EventFilter::fits(std::string_view key,
                       const std::string& value,
                       const LifecycleEvent& event) {
    if (key == "container") {
        const bool id = value.size() >= 2 && event.id.starts_with(value);
        return id || attribute(event, "name") == value;
    }
    if (key == "event") {
        // "health_status" stands for "health_status: healthy", too.
        return event.action == value || event.action.starts_with(value + ":");
    }
    if (key == "image") {
        return names_image(attribute(event, "image"), value);
    }
    if (key == "label") {
        return has_label(event.attributes, value);
    }
    return value == (key == "type" ? type_of(event) : kScope);
}

bool EventFilter::takes(const LifecycleEvent& event) const {
    if (event.lost > 0) {
        return true;  // what was lost may have been wanted
    }
    return fits_each_key(wishes_, [&](std::string_view key, const std::string& value) {
        return fits(key, value, event);
    });
}

std::string lifecycle_json(const LifecycleEvent& event) {
    const bool gap = event.lost > 0;
    const std::string_view action = gap ? std::string_view("lost") : event.action;
    std::map<std::string, std::string> attributes = event.attributes;
    if (gap) {
        attributes["count"] = fmt::format("{}", event.lost);
    }
    spec::JsonWriter json;
    json.begin_object().member("status", action).member("id", event.id);
    json.member("from", attribute(event, "image")).member("Type", type_of(event));
    json.member("Action", action).key("Actor").begin_object().member("ID", event.id);
    json.member("Attributes", attributes).end_object().member("scope", kScope);
    const std::int64_t nanoseconds = nanoseconds_of(event.time);
    json.member("time", nanoseconds / 1'000'000'000).member("timeNano", nanoseconds);
    json.end_object();
    return std::move(json).text();
}

std::string lifecycle_text(const LifecycleEvent& event) {
    if (event.lost > 0) {
        return fmt::format(
            "{} {} lost {} events: this reader was too slow", event.time, kOwnType, event.lost);
    }
    std::string list;
    for (const auto& [name, value] : event.attributes) {
        list += fmt::format("{}{}={}", list.empty() ? "" : ", ", printable(name), printable(value));
    }
    return fmt::format("{} {} {} {} ({})", event.time, kType, event.action, event.id, list);
}

}  // namespace knarr::cli
