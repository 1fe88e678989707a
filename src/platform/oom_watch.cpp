#include "platform/oom_watch.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxBytes = 4096;

/// "oom_kill 3", in memory.events and memory.oom_control.
std::uint64_t kills_in(std::string_view text) {
    for (const std::string_view line : split(text, '\n')) {
        constexpr std::string_view kName = "oom_kill ";
        if (line.starts_with(kName)) {
            return parse_number(line.substr(kName.size())).value_or(0);
        }
    }
    return 0;
}

std::uint64_t kills_in(const Fd& file) {
    std::string text(kMaxBytes, '\0');
    const ssize_t got = pread(file.get(), text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return kills_in(text);
}

}  // namespace

std::uint64_t memory_kills(const CgroupFiles& files) {
    return kills_in(
        files.read("memory", files.v2() ? "memory.events" : "memory.oom_control").value_or(""));
}

Result<std::optional<OomWatch>> OomWatch::open(const CgroupFiles& files) {
    const bool v2 = files.v2();
    std::optional<Fd> file = files.open("memory", v2 ? "memory.events" : "memory.oom_control");
    if (!file) {
        return std::nullopt;
    }
    if (v2) {
        Fd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        if (!watch.valid() ||
            inotify_add_watch(watch.get(), fd_path(*file).c_str(), IN_MODIFY) < 0) {
            return fail_errno(errno, "watch memory.events");
        }
        OomWatch out(std::move(watch), std::move(*file), true);
        out.seen_ = kills_in(out.file_);
        return std::optional(std::move(out));
    }
    Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event.valid()) {
        return fail_errno(errno, "eventfd");
    }
    const std::optional<Fd> control = files.open_to_write("memory", "cgroup.event_control");
    if (!control) {
        return std::nullopt;  // a kernel that no longer has it
    }
    KNARR_TRY(write_all(*control, fmt::format("{} {}", event.get(), file->get())),
              "watch memory.oom_control");
    return std::optional(OomWatch(std::move(event), std::move(*file), false));
}

Result<std::uint64_t> OomWatch::take() {
    if (v2_) {
        std::array<char, 4096> events;
        while (read(fd_.get(), events.data(), events.size()) > 0) {
        }
        const std::uint64_t now = kills_in(file_);
        const std::uint64_t fresh = now > seen_ ? now - seen_ : 0;
        seen_ = now;
        return fresh;
    }
    std::uint64_t count = 0;
    if (read(fd_.get(), &count, sizeof count) != sizeof count) {
        return errno == EAGAIN ? Result<std::uint64_t>(0) : fail_errno(errno, "read an eventfd");
    }
    // The removal of the cgroup wakes us, too: then its file cannot be read any more.
    char byte = 0;
    return pread(file_.get(), &byte, 1, 0) < 0 ? 0 : count;
}

}  // namespace knarr::sys
