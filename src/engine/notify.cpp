#include "engine/notify.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/socket.h"
#include "platform/unix_socket.h"

namespace knarr::engine {

namespace {

constexpr const char* kName = "notify";  // of the directory, and of the socket in it
constexpr std::size_t kMaxDatagramBytes = 4096;
constexpr int kBarrierWaitMs = 5000;

}  // namespace

std::string notify_directory(const std::string& host_socket) {
    return host_socket.starts_with('/') ? host_socket : "/run/notify";
}

void add_notify(spec::RuntimeConfig& config,
                const std::string& host_socket,
                const std::string& source) {
    const std::string directory = notify_directory(host_socket);
    config.mounts.push_back({.destination = directory,
                             .type = "bind",
                             .source = source,
                             .options = {"bind", "ro", "nosuid", "nodev", "noexec"},
                             .uid_mappings = {},
                             .gid_mappings = {}});
    std::vector<std::string>& env = config.process->env;
    std::erase_if(env, [](const std::string& one) { return one.starts_with("NOTIFY_SOCKET="); });
    env.push_back(fmt::format("NOTIFY_SOCKET={}/{}", directory, kName));
}

std::optional<std::string> ready_message(std::string_view datagram, std::optional<pid_t> main_pid) {
    const auto lines = split(datagram, '\n');
    if (std::ranges::find(lines, "READY=1") == lines.end()) {
        return std::nullopt;
    }
    return main_pid ? fmt::format("MAINPID={}\nREADY=1", *main_pid) : "READY=1";
}

Result<> make_notify_dir(const sys::Fd& state_dir) {
    return sys::make_dir_at(state_dir, kName, 0755);
}

Result<std::optional<NotifyProxy>> NotifyProxy::listen(const sys::Fd& state_dir,
                                                       const std::string& host_socket) {
    const Result<sys::Fd> dir = sys::open_at(state_dir, kName, O_RDONLY | O_DIRECTORY);
    if (!dir) {
        return dir.error().sys_errno == ENOENT ? Result<std::optional<NotifyProxy>>(std::nullopt)
                                               : fail(dir.error());
    }
    sys::Fd to_caller = KNARR_TRY(sys::connect_datagram(host_socket), "NOTIFY_SOCKET");
    return NotifyProxy(KNARR_TRY(sys::bind_datagram_at(*dir, kName)), std::move(to_caller));
}

Result<> NotifyProxy::serve(std::optional<pid_t> main_pid) {
    while (from_program_.valid()) {
        std::array<char, kMaxDatagramBytes> buffer{};
        const Result<std::size_t> got = sys::read_some(from_program_, buffer);
        if (!got) {
            return got.error().sys_errno == EAGAIN ? Result<>{} : fail(got.error());
        }
        if (const auto message = ready_message({buffer.data(), *got}, main_pid)) {
            from_program_.reset();
            KNARR_TRY(sys::send_packet(to_caller_, *message), "NOTIFY_SOCKET");
        }
    }
    return {};
}

Result<> NotifyProxy::await_ready(const sys::Fd& process, pid_t pid) {
    while (from_program_.valid()) {
        std::array<sys::Ready, 2> items{sys::Ready{.fd = process.get()},
                                        sys::Ready{.fd = from_program_.get()}};
        KNARR_TRY(sys::wait_ready(items, -1));
        KNARR_TRY(serve(pid));
        if (items[0].is_ready && from_program_.valid()) {
            return {};
        }
    }
    return await_barrier();
}

/// Source: sd_notify(3), sd_notify_barrier: the manager closes the descriptor when it has dealt
/// with all that came before. One that does not know it is not waited for long.
Result<> NotifyProxy::await_barrier() const {
    sys::Pipe pipe = KNARR_TRY(sys::make_pipe());
    if (!sys::send_packet(to_caller_, "BARRIER=1", &pipe.write)) {
        return {};  // the message before it went through: whoever took it has left
    }
    pipe.write.reset();
    std::array<sys::Ready, 1> items{sys::Ready{.fd = pipe.read.get()}};
    return sys::wait_ready(items, kBarrierWaitMs);
}

std::optional<NotifyProxy> listen_for_readiness(const Context& context,
                                                const LockedDir& dir,
                                                const ServiceLinks& service) {
    if (service.notify_socket.empty()) {
        return std::nullopt;
    }
    Result<std::optional<NotifyProxy>> proxy = NotifyProxy::listen(dir.fd(), service.notify_socket);
    if (!proxy) {
        context.warn(proxy.error().message + "; readiness is not passed on");
        return std::nullopt;
    }
    return std::move(*proxy);
}

void pass_readiness_on(const Context& context,
                       NotifyProxy& proxy,
                       const sys::Fd& process,
                       pid_t pid) {
    const Result<> passed = proxy.await_ready(process, pid);
    if (!passed) {
        context.warn(passed.error().message);
    }
}

}  // namespace knarr::engine
