#pragma once
// A container's record, ROOT/ID/state.json: enough for any later process to act on the container.
//
// It is also the journal: what outlives the process that makes it (cgroup, image data directory) is
// in the record, with status `creating`, before it is made. A record that says `creating` while
// nobody holds the container's lock is the leftover of a killed create.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "engine/life.h"
#include "engine/state_dir.h"
#include "knarr/container.h"
#include "platform/cgroup.h"
#include "platform/resctrl.h"
#include "rpc/systemd.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

struct Record {
    std::string id;
    std::string name;                                  // empty: of a bundle
    ContainerState status = ContainerState::creating;  // as last written; never paused
    pid_t pid = 0;                                     // from `created` on
    std::uint64_t pid_start_ticks = 0;  // tells that process from a later one with its pid
    std::string oci_version;
    std::string bundle, rootfs;
    std::string config_file;  // absolute; empty: the bundle's config.json
    Isolation isolation = Isolation::native;
    std::string created;  // RFC 3339
    std::map<std::string, std::string> annotations;
    uid_t owner = 0;
    bool own_pid_namespace = false;            // the end of `pid` is the end of all its processes
    std::optional<sys::CgroupPlan> cgroup;     // directories only: enough to find, kill and remove
    std::optional<rpc::UnitName> unit;         // of systemd, which made that cgroup
    std::optional<sys::ResctrlGroup> resctrl;  // where it is and what of it is the container's
    std::vector<spec::Hook> poststart, poststop;  // edits of config.json after create do not matter
    std::string image, data_dir;                  // when made from an image; data_dir goes with it
    bool auto_remove = false;
    bool mounts_on_host = false;  // all mounts below `rootfs` are the container's, made on the host
    bool no_new_keyring = false;  // its processes keep their callers' session keyrings
    bool restoring = false;       // the cgroup was made, empty: who is in it CRIU has brought back
    std::optional<int> exit_code;
    std::optional<Life> life;  // of one made from an image
    std::string boot = {};     // of the machine, when it was made; empty: not known
    bool before_boot = false;  // as read: that is over, and with it its processes and its cgroup
};

/// Which run of the machine this is; empty: nobody knows. Source: random(4),
/// /proc/sys/kernel/random/boot_id.
const std::string& boot_id();

/// What the maker of a container called its image; "busybox:latest" where that was not put down.
/// Empty for one of a bundle.
std::string image_name_of(const Record& record);

/// Writes the record; a crash leaves the old or the new one.
Result<> save_record(const LockedDir& dir, const Record& record);
/// Nothing when there is no record: the container is just being made or removed, or its create was
/// killed at once. Errors: corrupt with `path`, the directory's name for messages.
Result<std::optional<Record>> load_record(const sys::Fd& dir, const std::string& path);

/// The copy of a container's record beside its files, which outlives the state directory: written
/// with each record of one in the background that runs or has ended. Nothing when there is none.
/// Errors: corrupt.
Result<std::optional<Record>> kept_record(const std::string& data_dir);
/// Whether there is to be one.
bool keeps_copy(const Record& record);
/// Whether both tell of one run: its first process is the same.
bool is_same_run(const Record& one, const Record& other);

/// The OCI state as JSON, as hooks receive it. `pid` 0 is left out.
/// Source: runtime-spec runtime.md "State", config.md "POSIX-platform Hooks".
std::string hook_state(const Record& record, std::string_view status, pid_t pid);

}  // namespace knarr::engine
