#include "platform/netlink.h"

#include <cerrno>
#include <cstring>
#include <functional>

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/process.h"

namespace knarr::sys {

namespace {

/// One request: a header, a fixed part and attributes. Source: netlink(7), NLMSG_* macros.
class Request {
public:
    template <typename Fixed>
    Request(std::uint16_t type, std::uint16_t flags, const Fixed& fixed) {
        nlmsghdr header{};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
        header.nlmsg_seq = 1;  // one request a socket at a time
        append(&header, sizeof header);
        append(&fixed, sizeof fixed);
    }
    void attribute(std::uint16_t type, const void* data, std::size_t size) {
        const rtattr header{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size)),
                            .rta_type = type};
        append(&header, sizeof header);
        append(data, size);
    }
    void raw(const std::string& attributes) { append(attributes.data(), attributes.size()); }
    const std::string& bytes() {
        const auto size = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &size, sizeof size);  // nlmsg_len is the first member
        return bytes_;
    }

private:
    void append(const void* data, std::size_t size) {
        bytes_.append(static_cast<const char*>(data), size);
        bytes_.resize(NLMSG_ALIGN(bytes_.size()));
    }
    std::string bytes_;
};

using Receiver = std::function<void(const nlmsghdr& message)>;

/// What one datagram of answers said: more to come, the end, or an error of the kernel's.
Result<bool> read_answers(std::string& buffer, std::size_t size, const Receiver& receive) {
    auto left = static_cast<unsigned>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type == NLMSG_DONE) {
            return true;
        }
        if (message->nlmsg_type == NLMSG_ERROR) {
            nlmsgerr answer{};
            std::memcpy(&answer, NLMSG_DATA(message), sizeof answer);
            return answer.error == 0 ? Result<bool>(true) : fail_errno(-answer.error, "rtnetlink");
        }
        if (receive) {
            receive(*message);
        }
    }
    return false;
}

Result<> ask(const Fd& netlink, Request request, const Receiver& receive = {}) {
    const std::string& bytes = request.bytes();
    if (send(netlink.get(), bytes.data(), bytes.size(), 0) < 0) {
        return fail_errno(errno, "send to rtnetlink");
    }
    std::string buffer(32 * std::size_t{1024}, '\0');  // what the kernel fills at most
    while (true) {
        const ssize_t got = recv(netlink.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno(errno, "receive from rtnetlink");
        }
        if (KNARR_TRY(read_answers(buffer, static_cast<std::size_t>(got), receive))) {
            return {};
        }
    }
}

/// Calls `use` for each attribute behind the fixed part of a message.
template <typename Fixed, typename Use>
void each_attribute(const nlmsghdr& message, Use use) {
    const auto* start = reinterpret_cast<const char*>(&message) + NLMSG_LENGTH(sizeof(Fixed));
    auto left = static_cast<int>(NLMSG_PAYLOAD(&message, sizeof(Fixed)));
    for (const auto* one = reinterpret_cast<const rtattr*>(start); RTA_OK(one, left);
         one = RTA_NEXT(one, left)) {
        use(*one);
    }
}

ifinfomsg link_part(int link) {
    ifinfomsg part{};
    part.ifi_family = AF_UNSPEC;
    part.ifi_index = link;
    return part;
}

}  // namespace

Result<Fd> open_netlink(const Fd& netns) {
    Fd own;
    if (netns.valid()) {
        own = KNARR_TRY(open_path("/proc/self/ns/net", O_RDONLY));
        KNARR_TRY(enter_namespace(netns, CLONE_NEWNET), "network namespace of the container");
    }
    Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    const int error = errno;
    if (own.valid()) {
        KNARR_TRY(enter_namespace(own, CLONE_NEWNET), "back to the own network namespace");
    }
    return fd.valid() ? Result<Fd>(std::move(fd)) : fail_errno(error, "rtnetlink socket");
}

Result<std::vector<Link>> list_links(const Fd& netlink) {
    std::vector<Link> links;
    KNARR_TRY(
        ask(netlink, Request(RTM_GETLINK, NLM_F_DUMP, link_part(0)), [&](const nlmsghdr& message) {
            if (message.nlmsg_type != RTM_NEWLINK) {
                return;
            }
            const auto* part = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
            Link& link = links.emplace_back();
            link.index = part->ifi_index;
            link.up = (part->ifi_flags & IFF_UP) != 0;
            each_attribute<ifinfomsg>(message, [&](const rtattr& one) {
                if (one.rta_type == IFLA_IFNAME) {
                    const auto* text = static_cast<const char*>(RTA_DATA(&one));
                    link.name.assign(text, strnlen(text, RTA_PAYLOAD(&one)));
                }
            });
        }));
    return links;
}

Result<std::vector<LinkAddress>> list_addresses(const Fd& netlink, int link) {
    std::vector<LinkAddress> addresses;
    KNARR_TRY(
        ask(netlink, Request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}), [&](const nlmsghdr& message) {
            const auto* part = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
            if (message.nlmsg_type != RTM_NEWADDR ||
                part->ifa_index != static_cast<unsigned>(link)) {
                return;
            }
            LinkAddress& address = addresses.emplace_back();
            address.family = part->ifa_family;
            address.prefix = part->ifa_prefixlen;
            address.scope = part->ifa_scope;
            address.permanent = (part->ifa_flags & IFA_F_PERMANENT) != 0;
            each_attribute<ifaddrmsg>(message, [&](const rtattr& one) {
                // A label has the old name in it; the rest describes a past.
                const bool wanted = one.rta_type == IFA_ADDRESS || one.rta_type == IFA_LOCAL ||
                                    one.rta_type == IFA_BROADCAST ||
                                    one.rta_type == IFA_RT_PRIORITY;
                if (wanted) {
                    address.attributes.append(reinterpret_cast<const char*>(&one), one.rta_len);
                    address.attributes.resize(RTA_ALIGN(address.attributes.size()));
                }
            });
        }));
    return addresses;
}

Result<> move_link(const Fd& netlink, int link, const Fd& netns, const std::string& name) {
    Request request(RTM_NEWLINK, NLM_F_ACK, link_part(link));
    const int fd = netns.get();
    request.attribute(IFLA_NET_NS_FD, &fd, sizeof fd);
    request.attribute(IFLA_IFNAME, name.c_str(), name.size() + 1);
    return ask(netlink, std::move(request));
}

Result<> add_address(const Fd& netlink, int link, const LinkAddress& address) {
    ifaddrmsg part{};
    part.ifa_family = address.family;
    part.ifa_prefixlen = address.prefix;
    part.ifa_scope = address.scope;
    part.ifa_index = static_cast<unsigned>(link);
    Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, part);
    request.raw(address.attributes);
    return ask(netlink, std::move(request));
}

Result<> bring_link_up(const Fd& netlink, int link) {
    ifinfomsg part = link_part(link);
    part.ifi_flags = IFF_UP;
    part.ifi_change = IFF_UP;
    return ask(netlink, Request(RTM_NEWLINK, NLM_F_ACK, part));
}

}  // namespace knarr::sys
