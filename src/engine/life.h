#pragma once
// What the record of a container made from an image has besides: what was asked for, and what is
// needed for its life after `run`.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/health.h"
#include "engine/restart.h"
#include "knarr/cgroup_manager.h"
#include "knarr/run.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

/// What --mount said that is not in the bundle.
struct AskedMount {
    std::string target;
    bool no_copy = false;
    std::map<std::string, std::string> labels = {};  // of a volume that it made
};

/// What image and options ask for, where the bundle has what came of it.
struct Asked {
    std::string user, workdir;         // empty: neither says
    std::vector<std::string> implied;  // names of variables that nobody set
    std::string image = {};            // as it was called; empty: made before this was put down
    std::vector<std::string> entrypoint = {}, command = {};  // likewise, where both are empty
    std::vector<std::string> volumes = {};  // directories of anonymous ones, and the image's
    std::vector<std::string> groups = {};
    std::string id_file = {};
    std::vector<AskedMount> mounts = {};
};

/// What the record of a container made from an image has besides, for its life after `run`.
struct Life {
    std::vector<std::string> command;
    int stop_signal = 15;
    std::optional<unsigned> stop_seconds;
    bool monitored = false;  // a monitor holds its streams and learns how it ends
    LogPolicy log;
    std::map<std::string, std::string> log_details = {};  // what `log` names, as it was made
    std::string started, finished;  // RFC 3339, of the last run; empty: not yet
    bool oom_killed = false;        // the last run, in part or whole
    std::string oom_text = {};      // what is told of that to who was in front of it
    RestartState restart = {};
    CgroupManager cgroup_manager = CgroupManager::cgroupfs;  // and this, who runs it again needs
    std::optional<bool> rootless = {};
    std::map<std::string, std::string> labels;
    NameSettings names = {};           // what was asked for: inspect shows it
    std::vector<std::string> exposed;  // ports, "80/tcp", likewise
    std::vector<std::string> volumes;  // anonymous ones, which go with it where that is asked for
    std::optional<HealthCheck> health = {};
    bool terminal = false;
    bool keeps_stdin = false;         // its stdin waits for who attaches
    std::optional<Asked> asked = {};  // nothing: made before this was put down
    bool laid_down = false;           // made by `create`: it stays where its first run fails
};

/// Whether it is to run again by itself.
inline bool is_pending(const Life& life) {
    return life.restart.phase != RestartPhase::idle;
}

void write_life(spec::JsonWriter& json, const Life& life);
/// From a container's record; absent is nothing. Errors: corrupt.
Result<> read_life(const spec::JsonValue& record, std::optional<Life>& out);

}  // namespace knarr::engine
