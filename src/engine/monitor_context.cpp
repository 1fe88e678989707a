#include "engine/monitor_context.h"

#include "core/clock.h"
#include "engine/own_log.h"
#include "platform/file.h"

namespace knarr::engine {

Context monitor_context(const StateRoot& root,
                        const ContainerId& id,
                        const OwnLog& log,
                        std::string_view op) {
    return {.root = root,
            .warn =
                [&root, id, log, op, repeats = Repeats()](std::string_view text) mutable {
                    if (const auto said = repeats.next(text, system_clock().steady())) {
                        write_own_log(
                            log,
                            {.level = LogLevel::warning, .text = *said, .id = id.text(), .op = op});
                    }
                    if (const auto dir = root.open_dir(id)) {
                        // If this fails, too, nothing is left to try.
                        static_cast<void>(
                            sys::replace_file(*dir, kTroubleFile, text, 0600, sys::Sync::file));
                    }
                },
            .monitor_log = log};
}

}  // namespace knarr::engine
