#pragma once
// Making containers: create, and run. The one way from a Bundle to a record on disk, for bundles
// and images alike.
//
// What is made, in this order, each in the record before it is made; a process killed anywhere
// leaves a record that says `creating`, which destroy.h can clean:
//   state directory, locked -> record (creating) -> data directory -> gate -> cgroup and child
//   -> record (creating, pid) -> pid file -> record (created, or running behind the open gate)

#include <functional>
#include <string>

#include "bundle/bundle.h"
#include "engine/context.h"
#include "knarr/container.h"

namespace knarr::engine {

struct NewContainer {
    ContainerId id;
    std::string name;  // the name a person gave; empty: none
    bundle::Bundle bundle;

    std::string image;     // the reference it is made from; empty: a bundle
    std::string data_dir;  // absolute; removed together with the container
    /// Makes `data_dir`; called when the record that names it is on disk.
    std::function<Result<>()> make_data_dir;

    std::string pid_file, console_socket, pidfd_socket;
    ServiceLinks service;
    unsigned preserve_fds = 0;
    bool no_pivot = false, no_new_keyring = false;
    bool auto_remove = true;  // run in the foreground: remove the container when it has ended,
                              // else it stays, stopped, with its exit code
};

/// Reads the bundle that a request names.
Result<NewContainer> read_request(const BundleRequest& request);

/// Errors: see Engine::create.
Result<> create_container(const Context& context, NewContainer wanted);
/// create and start in one. Errors: see Engine::run.
Result<int> run_container(const Context& context, NewContainer wanted, RunMode mode);

}  // namespace knarr::engine
