#include "core/fault.h"

#ifdef KNARR_FAULTS

#include <csignal>
#include <cstdlib>

namespace knarr {

Result<> fault_point(std::string_view name) {
    const char* wanted = std::getenv("KNARR_FAULT");
    if (wanted == nullptr) {
        return {};
    }
    std::string_view spec(wanted);
    const bool kill = spec.ends_with("=kill"), stop = spec.ends_with("=stop");
    if (kill || stop) {
        spec.remove_suffix(5);
    }
    if (spec != name) {
        return {};
    }
    if (kill) {
        std::raise(SIGKILL);
    }
    if (stop) {
        std::raise(SIGSTOP);
        return {};
    }
    return fail(Errc::internal, "fault injected at {}", name);
}

}  // namespace knarr

#endif
