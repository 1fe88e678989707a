#pragma once
// The state of a container as hooks, `knarr state` and `knarr list` get it.
// Source: runtime-spec v1.3.0 runtime.md "State"; rootfs, created and owner are runc's.

#include <map>
#include <string>
#include <string_view>

#include "knarr/types.h"
#include "spec/json_writer.h"

namespace knarr::spec {

/// The version of the runtime specification that knarr implements.
inline constexpr std::string_view kRuntimeSpecVersion = "1.3.0";

struct State {
    std::string id;
    ContainerState status = ContainerState::creating;
    int pid = 0;         // as seen from the host; 0 when stopped, as runc prints it
    std::string bundle;  // absolute
    std::map<std::string, std::string> annotations;
    std::string rootfs;   // absolute
    std::string created;  // RFC 3339
    std::string owner;    // user name, or empty
};

/// The state for a hook's stdin: the specification's members and no others, in one line.
std::string encode_hook_state(const State& state);

/// Writes the state with runc's members, for `knarr state` and `knarr list --format json`.
void write_state(JsonWriter& json, const State& state);

}  // namespace knarr::spec
