#pragma once
// What a service manager hands to the one it starts, for the container's program. Front doors read
// it from their environment; the engine never does.

#include <string>

namespace knarr {

struct ServiceLinks {
    /// Descriptors 3 .. 3+n-1 that listen, before the preserved ones. Source: sd_listen_fds(3).
    unsigned listen_fds = 0;
    std::string listen_names = {};  ///< "NAME:NAME..."; empty: none
    /// Where readiness is reported, as sd_notify(3) has it in NOTIFY_SOCKET: an absolute path, or
    /// "@name". The program gets a socket of its own; its READY=1 is passed on, and nothing else.
    std::string notify_socket = {};
};

}  // namespace knarr
