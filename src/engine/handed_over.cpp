#include "engine/handed_over.h"

#include <fcntl.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/socket.h"
#include "platform/unix_socket.h"

namespace knarr::engine {

// Descriptors that the caller means to hand on must be open, and none of ours: ours are all
// close-on-exec, inherited ones never are. Handing on a descriptor of ours by a wrong count
// would give the container a door to the host (compare CVE-2024-21626).
Result<> check_preserved_fds(unsigned count, unsigned first) {
    for (unsigned fd = first; fd < first + count; ++fd) {
        if (!sys::is_inherited(static_cast<int>(fd))) {
            auto missing = fail(Errc::invalid_argument,
                                "--preserve-fds {}: descriptor {} is not open in the caller",
                                count,
                                fd);
            return fail(std::move(missing).error().advise(
                "open descriptors 3 and up without a gap, and count only them"));
        }
    }
    return {};
}

std::optional<unsigned> missing_listen_fd(unsigned count) {
    for (unsigned fd = 3; fd < 3 + count; ++fd) {
        if (!sys::is_inherited(static_cast<int>(fd))) {
            return fd;
        }
    }
    return std::nullopt;
}

Result<> PidfdReceivers::add(const std::string& path, std::string_view what) {
    if (!path.empty()) {
        all_.push_back(KNARR_TRY(sys::connect_stream(path), "{}", what));
    }
    return {};
}

Result<> PidfdReceivers::send(const sys::Fd& pidfd) {
    for (const sys::Fd& receiver : all_) {
        KNARR_TRY(sys::send_packet(receiver, "pidfd", &pidfd), "send the pidfd");
    }
    all_.clear();
    return {};
}

Result<> write_pid_file(const std::string& path, pid_t pid) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const sys::Fd dir = KNARR_TRY(sys::open_path(parent, O_RDONLY | O_DIRECTORY), "pid file");
    KNARR_TRY(sys::replace_file(dir, path.substr(slash + 1), fmt::format("{}", pid), 0644),
              "pid file {}",
              path);
    return {};
}

void remove_pid_file(const std::string& path) {
    if (!path.empty()) {
        unlink(path.c_str());
    }
}

}  // namespace knarr::engine
