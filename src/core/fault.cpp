#include "core/fault.h"

#ifdef KNARR_FAULTS

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace knarr {

namespace {

constexpr std::string_view kNote = "note:";

/// One write a line: several processes note theirs in the same file.
void note(const char* path, std::string_view name) {
    if (std::FILE* file = std::fopen(path, "ae")) {
        std::fputs((std::string(name) + "\n").c_str(), file);
        std::fclose(file);
    }
}

}  // namespace

Result<> fault_point(std::string_view name) {
    const char* wanted = std::getenv("KNARR_FAULT");
    if (wanted == nullptr) {
        return {};
    }
    std::string_view spec(wanted);
    if (spec.starts_with(kNote)) {
        note(wanted + kNote.size(), name);
        return {};
    }
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
