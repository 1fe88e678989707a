#pragma once
// Where states and images live when nobody says so: for the host's root, and for everybody else.

#include <optional>
#include <string>

#include <sys/types.h>

#include "platform/host_facts.h"

namespace knarr::cli {

/// Who asks.
struct Caller {
    uid_t uid = 0;
    bool in_user_namespace = false;
    uid_t outer_uid = 0;       // who that is outside; the same as uid in the initial namespace
    bool run_is_ours = false;  // we may write to /run
    std::string runtime_dir;   // XDG_RUNTIME_DIR
    std::string data_home;     // XDG_DATA_HOME
    std::string home, user;    // HOME, USER
};

struct Places {
    std::string root, data_root;
};

/// `rootless` as --rootless says it; nothing: by the caller. The root of a user namespace (podman
/// starts runtimes so) shares the places of the user that it is outside; the root of a whole
/// system inside one (USER=root, or /run is its own) has those of root.
/// Source: runc's rule for its --root; XDG Base Directory Specification.
Places default_places(std::optional<bool> rootless, const Caller& caller);

Caller probe_caller();

}  // namespace knarr::cli
