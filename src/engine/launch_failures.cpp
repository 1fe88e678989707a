#include "engine/launch_failures.h"

#include "core/clock.h"
#include "engine/event_log.h"
#include "engine/resolve.h"
#include "platform/file.h"

namespace knarr::engine {

namespace {

constexpr std::string_view kAction = "launch";
constexpr const char* kId = "id";
constexpr std::size_t kMaxFailureBytes = 128 * size::kKiB;

Result<sys::Fd> open_place(const Context& context) {
    return sys::make_dirs(context.root.path() + "/" + kEventDir + "/failed", 0700);
}

bool is_of(const HistoryEvent& event, std::string_view text) {
    const auto name = event.attributes.find("name");
    return (name != event.attributes.end() && name->second == text) ||
           (text.size() >= kMinPrefix && event.id.starts_with(text));
}

LaunchFailure failure_of(const HistoryEvent& event) {
    const auto attribute = [&](const char* name) {
        const auto found = event.attributes.find(name);
        return found == event.attributes.end() ? std::string() : found->second;
    };
    return {.id = event.id,
            .name = attribute("name"),
            .image = attribute("image"),
            .time = event.time,
            .error = attribute("error"),
            .hint = attribute("hint")};
}

}  // namespace

void note_failure(const Context& context, const Record& record, const Error& error) {
    if (!record.life) {
        return;
    }
    HistoryEvent event;
    event.time = format_time(system_clock().wall());
    event.action = kAction;
    event.id = record.id;
    event.attributes = {
        {"image", record.image},
        {"error", error.message},
        {"hint", error.hint.empty() ? std::string(knarr::describe(error.code).hint) : error.hint}};
    if (!record.name.empty()) {
        event.attributes.emplace("name", record.name);
    }
    const auto note = [&]() -> Result<> {
        return append_event(KNARR_TRY(open_place(context)), event, kMaxFailureBytes);
    };
    if (const Result<> noted = note(); !noted) {
        context.warn("for explain it is not noted: " + noted.error().message);
    }
}

Result<std::optional<LaunchFailure>> last_failure(const Context& context, std::string_view text) {
    std::optional<LaunchFailure> found;
    EventReader reader(KNARR_TRY(open_place(context)));
    for (const HistoryEvent& event : KNARR_TRY(reader.read())) {
        if (event.lost == 0 && is_of(event, text)) {
            found = failure_of(event);
        }
    }
    return found;
}

}  // namespace knarr::engine
