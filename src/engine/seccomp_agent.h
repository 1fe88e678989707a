#pragma once
// The agent that decides the calls which a container's seccomp filter asks about: kept in the state
// directory at create, for start and exec.

#include <string_view>

#include <sys/types.h>

#include "engine/record.h"
#include "runtime/launch/launch.h"
#include "runtime/launch/plan.h"

namespace knarr::engine {

inline constexpr const char* kAgentFile = "seccomp-agent";

/// Keeps who the agent is; nothing where the filter asks nobody.
Result<> keep_seccomp_agent(const LockedDir& dir, const runtime::Identity& identity);

/// The agent, with the state that it gets about the process `pid`; one without a path where the
/// filter asks nobody. `status` is the container's.
/// Source: runtime-spec config-linux.md "The Container Process State".
Result<runtime::ListenerAgent> seccomp_agent(const sys::Fd& dir,
                                             const Record& record,
                                             std::string_view status,
                                             pid_t pid);

/// The same, of the file's text: the socket's path, a line break, the metadata.
runtime::ListenerAgent agent_of(std::string_view text,
                                const Record& record,
                                std::string_view status,
                                pid_t pid);

}  // namespace knarr::engine
