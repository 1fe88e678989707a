#pragma once
// The pause before a container runs again (restart.h), as its monitor spends it.

#include <cstdint>
#include <optional>

#include "engine/context.h"
#include "engine/watch.h"
#include "platform/stream.h"

namespace knarr::engine {

class MonitorRest {
public:
    /// From here on changes in the container's directory are seen.
    void begin(const Context& context, const ContainerId& id);
    /// The pause is over (due), or taken back (removed); nothing: it goes on.
    std::optional<WatchEvent::Kind> look(const Context& context, const ContainerId& id);

    /// Readable when something has changed; -1: nothing tells.
    int fd() const { return changes_ ? changes_->fd().get() : -1; }
    /// How long to wait before the next look, where nothing changes; `blind_ms` at most where
    /// nothing tells.
    int patience_ms(int blind_ms) const;

private:
    std::optional<sys::DirWatch> changes_;  // of the container's directory
    std::int64_t due_ = 0;                  // when it ends, of steady_ms()
};

}  // namespace knarr::engine
