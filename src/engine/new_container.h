#pragma once
// Making containers: create, and run. The one way from a Bundle to a record on disk, for bundles
// and images alike.
//
// What is made, in this order, each in the record before it is made; a process killed anywhere
// leaves a record that says `creating`, which destroy.h can clean:
//   state directory, locked -> record (creating) -> data directory -> gate -> cgroup and child
//   -> record (creating, pid) -> pid file -> record (created, or running behind the open gate)

#include <functional>
#include <optional>
#include <string>

#include "bundle/bundle.h"
#include "engine/context.h"
#include "engine/record.h"
#include "knarr/container.h"
#include "runtime/launch/launch.h"

namespace knarr::engine {

/// In the background, of one who is attached from the beginning (attach_door.h).
struct AttachedEnds {
    sys::Fd socket;  // the monitor's end of a pair of sockets
    sys::Fd input;   // what the program's stdin reads; invalid: as without anybody
    /// Called when all is decided, before there is anything to leave behind.
    std::function<Result<>()> before_launch = {};
};

/// What one that is launched again has of before.
struct FromBefore {
    LockedDir dir;
    std::string created;           // when it was made
    std::optional<int> exit_code;  // of its last run, until its program runs again
};

struct NewContainer {
    ContainerId id;
    std::string name = {};  // empty: one of an image gets a generated one
    bundle::Bundle bundle;

    std::string image = {};     // the reference it is made from; empty: a bundle
    std::string data_dir = {};  // absolute; removed together with the container
    /// Makes `data_dir`; called when the record that names it is on disk.
    std::function<Result<>()> make_data_dir = {};

    std::string config_file = {};  // absolute, instead of the bundle's config.json; empty: none
    std::string pid_file = {}, console_socket = {}, pidfd_socket = {};
    ServiceLinks service = {};
    unsigned preserve_fds = 0;
    bool no_pivot = false, no_new_keyring = false;
    bool auto_remove = true;   // run in the foreground: remove the container when it has ended,
                               // else it stays, stopped, with its exit code
    bool keep_cgroup = false;  // run in the foreground: one that stays keeps its empty cgroup, too

    std::optional<Life> life = {};          // of one made from an image
    std::optional<FromBefore> before = {};  // it is there already, and runs again
    /// Gives the program other streams than ours; called when the data directory is there.
    std::function<Result<>(const LockedDir&, runtime::LaunchIo&)> give_streams;
    /// Takes the other side of the program's terminal, in place of a relay of ours; called before
    /// the program runs.
    std::function<Result<>(const sys::Fd& master)> give_terminal = {};
    AttachedEnds attached = {};
    int cancel_fd = -1;  // run in the foreground: ends it
};

/// Reads the bundle that a request names.
Result<NewContainer> read_request(const BundleRequest& request);

/// Errors: see Engine::create.
Result<> create_container(const Context& context, NewContainer wanted);
/// Makes a container of an image that has not run yet: its record and its files, no process.
/// Errors: as create_container.
Result<> create_unstarted(const Context& context, NewContainer wanted);
/// create and start in one. Errors: see Engine::run.
Result<int> run_container(const Context& context, NewContainer wanted, RunMode mode);

}  // namespace knarr::engine
