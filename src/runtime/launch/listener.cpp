// Where a filter's listener goes: from the filtered process over the report socket to the process
// that opens the gate, which gives it to the agent at linux.seccomp.listenerPath.

#include "runtime/launch/listener.h"

#include "platform/seccomp_listener.h"
#include "platform/unix_socket.h"
#include "runtime/launch/protocol.h"

namespace knarr::runtime {

namespace {

/// In the thread beside the filtered one. False: nobody has the listener.
bool report_listener(void* context, sys::Fd listener) {
    const auto& report = *static_cast<const sys::Fd*>(context);
    Result<> done = send_listener(report, listener);
    // Ours goes at once: else this process would wait for itself when the agent ends.
    listener.reset();
    if (done) {
        done = expect(report, Message::listened);
    }
    return done.has_value();
}

Result<> give_to_agent(const ListenerAgent& agent, const sys::Fd& listener) {
    const sys::Fd socket =
        KNARR_TRY(sys::connect_stream(agent.path), "failed to connect with seccomp agent");
    return sys::send_with_fd(socket, agent.state_json, listener);
}

}  // namespace

Result<> load_listened_filter(const sys::SeccompProgram& filter, const sys::Fd& report) {
    // The thread only reads the descriptor; the context has no const.
    return sys::load_seccomp_listened(filter, report_listener, const_cast<sys::Fd*>(&report));
}

Result<> serve_listener(const sys::Fd& gate, const sys::Fd& listener, const ListenerAgent& agent) {
    if (agent.path.empty()) {
        return fail(Errc::internal, "a listener for nobody");
    }
    Result<> given = give_to_agent(agent, listener);
    if (!given) {
        Error error = std::move(given).error().within("linux.seccomp.listenerPath");
        error.sys_errno = 0;  // it speaks of the agent's socket; callers look for the gate's
        return fail(std::move(error).advise("start the agent first, or correct the path"));
    }
    return send(gate, Message::listened);
}

}  // namespace knarr::runtime
