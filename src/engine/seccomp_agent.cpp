#include "engine/seccomp_agent.h"

#include <algorithm>
#include <cerrno>

#include "core/limits.h"
#include "platform/file.h"
#include "spec/json_writer.h"

namespace knarr::engine {

Result<> keep_seccomp_agent(const LockedDir& dir, const runtime::Identity& identity) {
    if (identity.seccomp_listener_path.empty()) {
        return {};
    }
    if (identity.seccomp_listener_path.find('\n') != std::string::npos) {
        return fail(Errc::invalid_config, "linux.seccomp.listenerPath: it has a line break in it");
    }
    return sys::make_file_at(
        dir.fd(),
        kAgentFile,
        identity.seccomp_listener_path + "\n" + identity.seccomp_listener_metadata,
        0600);
}

Result<runtime::ListenerAgent> seccomp_agent(const sys::Fd& dir,
                                             const Record& record,
                                             std::string_view status,
                                             pid_t pid) {
    const Result<std::string> text = sys::read_file_at(dir, kAgentFile, limits::kMaxStateBytes);
    if (!text && text.error().sys_errno == ENOENT) {
        return runtime::ListenerAgent{};
    }
    return text ? agent_of(*text, record, status, pid)
                : Result<runtime::ListenerAgent>(fail(text.error()));
}

runtime::ListenerAgent agent_of(std::string_view text,
                                const Record& record,
                                std::string_view status,
                                pid_t pid) {
    const std::size_t line = std::min(text.find('\n'), text.size());
    const std::string_view metadata = text.substr(std::min(line + 1, text.size()));
    spec::JsonWriter json;
    json.begin_object();
    json.member("ociVersion", record.oci_version);
    json.key("fds").begin_array().value("seccompFd").end_array();
    json.member("pid", pid);
    if (!metadata.empty()) {
        json.member("metadata", metadata);
    }
    json.end_object();
    // The state is a document of its own; it becomes the last member of this one.
    std::string state = std::move(json).text();
    state.pop_back();
    state += ",\"state\":" + hook_state(record, status, record.pid) + "}";
    return {.path = std::string(text.substr(0, line)), .state_json = std::move(state)};
}

}  // namespace knarr::engine
