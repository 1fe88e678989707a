#pragma once
// What keeps this machine from running containers, and how to mend it: `knarr doctor`.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/info.h"
#include "knarr/error.h"

namespace knarr::engine {

struct Finding {
    enum class Verdict : std::uint8_t {
        good,
        limited,  // some things do not work
        broken,   // containers do not run
    };
    std::string name;
    Verdict verdict = Verdict::good;
    std::string what;  // how it is
    std::string mend;  // what to do; empty where it is good
};

/// What was found out by trying it.
struct Trials {
    std::optional<Error> state_root, data_root, namespaces;  // nothing: it works
    std::optional<Error> monitor_program, pull_program;
    Feature erofs_layers;
    bool newuidmap = true, ps = true, criu = true;
    // Of a caller who is not root; nothing: he is.
    std::optional<bool> delegated = {};                 // a cgroup
    std::optional<std::uint64_t> subordinate_ids = {};  // in /etc/subuid and /etc/subgid
    std::string subordinate_hint = {};                  // how he gets some
    std::optional<Error> user_images = {};     // why images cannot be run by him; nothing: they can
    std::uint64_t damaged = 0, unwatched = 0;  // containers
};

/// Tries it on this machine; leaves nothing behind.
Trials try_out(const std::string& root, const std::string& data_root);

/// Pure: what the facts mean.
std::vector<Finding> diagnose(const sys::HostFacts& host,
                              const HostReport& report,
                              const Trials& trials);

}  // namespace knarr::engine
