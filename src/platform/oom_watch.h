#pragma once
// Being told when a cgroup runs out of memory.

#include <optional>

#include "platform/cgroup_files.h"

namespace knarr::sys {

/// How many processes of the cgroup the kernel has killed for want of memory. 0: also where it does
/// not count them.
std::uint64_t memory_kills(const CgroupFiles& files);

/// Watches a cgroup: v1 by an eventfd of memory.oom_control, v2 by inotify on memory.events.
class OomWatch {
public:
    /// Nothing when the cgroup has no memory controller.
    static Result<std::optional<OomWatch>> open(const CgroupFiles& files);

    /// Readable when there may be something to take().
    const Fd& fd() const { return fd_; }
    /// How often the cgroup ran out of memory since the last call.
    Result<std::uint64_t> take();

private:
    OomWatch(Fd fd, Fd file, bool v2) : fd_(std::move(fd)), file_(std::move(file)), v2_(v2) {}
    Fd fd_, file_;
    bool v2_;
    std::uint64_t seen_ = 0;  // v2: the counter as it was
};

}  // namespace knarr::sys
