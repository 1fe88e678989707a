#pragma once
// rtnetlink(7), as far as moving a network interface from one network namespace to another needs
// it: look interfaces up, move and rename them, read and set their addresses, bring them up.

#include <cstdint>
#include <string>
#include <vector>

#include "platform/fd.h"

namespace knarr::sys {

/// A network interface, in the namespace of the socket that found it.
struct Link {
    int index = 0;
    std::string name;
    bool up = false;
};

/// One address of an interface. `attributes` are the kernel's own (IFA_*), ready to be sent back.
struct LinkAddress {
    std::uint8_t family = 0, prefix = 0, scope = 0;
    bool permanent = false;
    std::string attributes;
};

/// A NETLINK_ROUTE socket of the network namespace `netns`, of this process's own where it is
/// invalid. Only for a process with a single thread: it enters the namespace for a moment.
Result<Fd> open_netlink(const Fd& netns);

/// Every interface.
Result<std::vector<Link>> list_links(const Fd& netlink);
Result<std::vector<LinkAddress>> list_addresses(const Fd& netlink, int link);

/// Moves an interface into `netns` and names it there, in one act. A name that ends in "%d" gets a
/// free number. It is down afterwards and has no addresses.
/// Errors: sys_errno EEXIST when the name is taken there; EINVAL for one that never moves.
Result<> move_link(const Fd& netlink, int link, const Fd& netns, const std::string& name);
Result<> add_address(const Fd& netlink, int link, const LinkAddress& address);
Result<> bring_link_up(const Fd& netlink, int link);

}  // namespace knarr::sys
