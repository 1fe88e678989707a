#include "platform/process_cgroup.h"

#include "core/text.h"
#include "platform/file.h"

namespace knarr::sys {

Result<std::string> v2_cgroup_of(pid_t pid) {
    constexpr std::size_t kMaxBytes = 256 * 1024;
    const std::string text = KNARR_TRY(read_file(fmt::format("/proc/{}/cgroup", pid), kMaxBytes));
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with("0::")) {
            return std::string(line.substr(3));
        }
    }
    return std::string();
}

}  // namespace knarr::sys
