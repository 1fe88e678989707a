#include "engine/launch_failures.h"

#include <cerrno>

#include <fcntl.h>

#include "engine/event_log.h"
#include "engine/resolve.h"
#include "platform/file.h"

namespace knarr::engine {

namespace {

constexpr std::string_view kAction = "launch";
constexpr std::size_t kMaxFailureBytes = 128 * size::kKiB;

std::string place(const Context& context) {
    return context.root.path() + "/" + kEventDir + "/failed";
}

bool is_of(const LoggedEvent& event, std::string_view text) {
    const auto name = event.attributes.find("name");
    return (name != event.attributes.end() && name->second == text) ||
           (text.size() >= kMinPrefix && event.id.starts_with(text));
}

LaunchFailure failure_of(const LoggedEvent& event) {
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
    const std::string hint =
        error.hint.empty() ? std::string(knarr::describe(error.code).hint) : error.hint;
    const LoggedEvent event =
        event_now(record, kAction, {{"error", error.message}, {"hint", hint}});
    const auto note = [&]() -> Result<> {
        return append_event(
            KNARR_TRY(sys::make_dirs(place(context), 0700)), event, kMaxFailureBytes);
    };
    if (const Result<> noted = note(); !noted) {
        context.warn("for explain it is not noted: " + noted.error().message);
    }
}

Result<std::optional<LaunchFailure>> last_failure(const Context& context, std::string_view text) {
    std::optional<LaunchFailure> found;
    Result<sys::Fd> dir = sys::open_path(place(context), O_RDONLY | O_DIRECTORY);
    if (!dir && dir.error().sys_errno == ENOENT) {
        return found;  // no launch has failed yet
    }
    EventReader reader(KNARR_TRY(std::move(dir)));
    for (const LoggedEvent& event : KNARR_TRY(reader.read())) {
        if (event.lost == 0 && is_of(event, text)) {
            found = failure_of(event);
        }
    }
    return found;
}

}  // namespace knarr::engine
