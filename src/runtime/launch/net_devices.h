#pragma once
// Network interfaces of the host that a container gets (linux.netDevices).

#include <string>
#include <vector>

#include "platform/fd.h"
#include "platform/netlink.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime {

/// The interfaces that a launch has moved, so that a failure can bring them back.
class MovedDevices {
public:
    /// Moves each interface with its permanent global addresses into `netns` and brings it up
    /// there. What was moved before a failure is remembered. Errors: invalid_config when the host
    /// has no such interface or its name is taken inside; unsupported for one that cannot be moved;
    /// denied without CAP_NET_ADMIN. Source: runtime-spec config-linux.md "Network Devices".
    Result<> move(const std::vector<NetDevice>& devices, sys::Fd netns);

    /// Brings every interface back under its old name, with its addresses, up where it was up.
    void bring_back();

private:
    struct Moved {
        int index = 0;  // inside
        bool was_up = false;
        std::string host_name;
        std::vector<sys::LinkAddress> addresses;
    };

    Result<> move_one(const NetDevice& device);

    sys::Fd netns_, host_netns_;
    sys::Fd inside_, outside_;  // netlink sockets
    std::vector<Moved> moved_;
};

/// Which interfaces of `after` were not there `before`: those that a move, or somebody else, has
/// brought. Of more than one the first that is called `name`, a template ("eth%d") or a name.
const sys::Link* arrived_link(const std::vector<sys::Link>& before,
                              const std::vector<sys::Link>& after,
                              const std::string& name);

}  // namespace knarr::runtime
