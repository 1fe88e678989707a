#pragma once
// sd_notify(3) through a container's wall: the program reports to a socket that we made for it, and
// we report to whoever started us that it is ready.
//
//   create, run   ROOT/ID/notify/ is made and bound into the container, NOTIFY_SOCKET is set
//   start, run    ROOT/ID/notify/notify is bound; read until READY=1 was passed on, with the first
//                 process as MAINPID where we leave and it is what stays

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "engine/context.h"
#include "knarr/service.h"
#include "platform/fd.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

/// The directory of the program's socket in the container. As crun: the path that the caller has;
/// for an abstract name, as runc, /run/notify. Pure.
std::string notify_directory(const std::string& host_socket);
/// Adds mount and variable to a configuration. `source` is the state directory's `notify`. Pure.
void add_notify(spec::RuntimeConfig& config,
                const std::string& host_socket,
                const std::string& source);
/// What is passed on of a datagram: that the program is ready, or nothing. Pure.
std::optional<std::string> ready_message(std::string_view datagram, std::optional<pid_t> main_pid);

/// Makes the directory that is bound into the container.
Result<> make_notify_dir(const sys::Fd& state_dir);

class NotifyProxy {
public:
    /// Nothing for a container that was made without. Errors: `host_socket` cannot be reached.
    static Result<std::optional<NotifyProxy>> listen(const sys::Fd& state_dir,
                                                     const std::string& host_socket);

    /// Readable when the program says something; invalid once all is passed on.
    const sys::Fd& fd() const { return from_program_; }
    /// Reads what there is and passes on. Errors: the caller is gone.
    Result<> serve(std::optional<pid_t> main_pid);
    /// Until the program is ready or `process` has ended, and the manager has understood: it learns
    /// whose message it was by looking at us, who then leave.
    Result<> await_ready(const sys::Fd& process, pid_t pid);

private:
    NotifyProxy(sys::Fd from_program, sys::Fd to_caller)
        : from_program_(std::move(from_program)), to_caller_(std::move(to_caller)) {}
    Result<> await_barrier() const;

    sys::Fd from_program_, to_caller_;
};

/// The proxy of a container whose lock is held. That the manager cannot be reached, before or
/// later, is a warning: the container runs all the same.
std::optional<NotifyProxy> listen_for_readiness(const Context& context,
                                                const LockedDir& dir,
                                                const ServiceLinks& service);
void pass_readiness_on(const Context& context,
                       NotifyProxy& proxy,
                       const sys::Fd& process,
                       pid_t pid);

}  // namespace knarr::engine
