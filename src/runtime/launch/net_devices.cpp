#include "runtime/launch/net_devices.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>

#include "core/fault.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/process.h"

namespace knarr::runtime {

namespace {

using Links = std::vector<sys::Link>;

const sys::Link* find_link(const Links& links, const std::string& name) {
    const auto found = std::ranges::find(links, name, &sys::Link::name);
    return found == links.end() ? nullptr : &*found;
}

/// What the kernel's number means to a person here.
Error explain_move(Error error) {
    switch (error.sys_errno) {
        case EPERM:
            error.message =
                "to move a network interface takes CAP_NET_ADMIN in its network "
                "namespace and in the container's";
            error.hint = "run knarr as root, or leave linux.netDevices to an engine that is";
            return error;
        case EINVAL:
        case EOPNOTSUPP:
            error.code = Errc::unsupported;
            error.message = "the kernel does not move this interface to another namespace";
            error.hint = "loopback and some virtual interfaces stay where they were made";
            return error;
        default:
            return error;
    }
}

Error name_taken(const std::string& name) {
    return {.code = Errc::invalid_config,
            .sys_errno = EEXIST,
            .message = fmt::format("the container's network namespace already has an interface {}",
                                   printable(name)),
            .hint = "give another name, or one that ends in %d to get a free number"};
}

/// Those that the specification has moved.
Result<std::vector<sys::LinkAddress>> addresses_to_keep(const sys::Fd& netlink, int link) {
    std::vector<sys::LinkAddress> addresses = KNARR_TRY(sys::list_addresses(netlink, link));
    std::erase_if(addresses, [](const sys::LinkAddress& one) {
        return !one.permanent || one.scope != RT_SCOPE_UNIVERSE;
    });
    return addresses;
}

Result<> set_up(const sys::Fd& netlink,
                int link,
                const std::vector<sys::LinkAddress>& addresses,
                bool up) {
    for (const sys::LinkAddress& address : addresses) {
        KNARR_TRY(sys::add_address(netlink, link, address), "give it its addresses again");
    }
    if (up) {
        KNARR_TRY(sys::bring_link_up(netlink, link), "bring it up");
    }
    return {};
}

bool fits(std::string_view name, std::string_view wanted) {
    return wanted.ends_with("%d") ? name.starts_with(wanted.substr(0, wanted.size() - 2))
                                  : name == wanted;
}

}  // namespace

const sys::Link* arrived_link(const Links& before, const Links& after, const std::string& name) {
    const sys::Link* first = nullptr;
    for (const sys::Link& one : after) {
        if (std::ranges::find(before, one.index, &sys::Link::index) != before.end()) {
            continue;
        }
        if (fits(one.name, name)) {
            return &one;
        }
        first = first == nullptr ? &one : first;
    }
    return first;
}

Result<> MovedDevices::move(const std::vector<NetDevice>& devices, sys::Fd netns) {
    netns_ = std::move(netns);
    host_netns_ = KNARR_TRY(sys::open_namespace("/proc/self/ns/net", CLONE_NEWNET));
    outside_ = KNARR_TRY(sys::open_netlink({}));
    inside_ = KNARR_TRY(sys::open_netlink(netns_));
    for (const NetDevice& device : devices) {
        KNARR_TRY(move_one(device), "linux.netDevices: {}", printable(device.host_name));
        KNARR_TRY(fault_point("device.moved"));
    }
    return {};
}

Result<> MovedDevices::move_one(const NetDevice& device) {
    const Links outside = KNARR_TRY(sys::list_links(outside_));
    const sys::Link* link = find_link(outside, device.host_name);
    if (link == nullptr) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = "there is no such network interface on the host",
                          .hint = "`ip link` shows those that there are; in another network "
                                  "namespace than knarr's none can be named"});
    }
    const Links before = KNARR_TRY(sys::list_links(inside_));
    // The kernel looks at the new name only when the interface is inside already.
    if (find_link(before, device.name) != nullptr) {
        return fail(name_taken(device.name));
    }
    std::vector<sys::LinkAddress> addresses = KNARR_TRY(addresses_to_keep(outside_, link->index));
    const Result<> moved = sys::move_link(outside_, link->index, netns_, device.name);
    // A move that failed may have come half way: under its old name.
    const Links after = KNARR_TRY(sys::list_links(inside_));
    const sys::Link* arrived = arrived_link(before, after, moved ? device.name : device.host_name);
    if (arrived != nullptr) {
        moved_.push_back({.index = arrived->index,
                          .was_up = link->up,
                          .host_name = device.host_name,
                          .addresses = addresses});
    }
    if (!moved) {
        return fail(moved.error().sys_errno == EEXIST ? name_taken(device.name)
                                                      : explain_move(moved.error()));
    }
    if (arrived == nullptr) {
        return fail(Errc::io, "the interface did not arrive as {}", printable(device.name));
    }
    return set_up(inside_, arrived->index, addresses, true);
}

void MovedDevices::bring_back() {
    for (auto one = moved_.rbegin(); one != moved_.rend(); ++one) {
        // The failure that led here is the one to report; where this fails too, the kernel gives a
        // physical interface back when the namespace ends.
        const Result<> moved = sys::move_link(inside_, one->index, host_netns_, one->host_name);
        const Result<Links> links = sys::list_links(outside_);
        const sys::Link* back = moved && links ? find_link(*links, one->host_name) : nullptr;
        if (back != nullptr) {
            static_cast<void>(set_up(outside_, back->index, one->addresses, one->was_up));
        }
    }
    moved_.clear();
}

}  // namespace knarr::runtime
