#include "platform/capability.h"

#include <cerrno>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/ascii.h"
#include "core/text.h"

namespace knarr::sys {

namespace {

// The position is the number.
constexpr std::string_view kNames[kKnownCapabilities] = {"CAP_CHOWN",
                                                         "CAP_DAC_OVERRIDE",
                                                         "CAP_DAC_READ_SEARCH",
                                                         "CAP_FOWNER",
                                                         "CAP_FSETID",
                                                         "CAP_KILL",
                                                         "CAP_SETGID",
                                                         "CAP_SETUID",
                                                         "CAP_SETPCAP",
                                                         "CAP_LINUX_IMMUTABLE",
                                                         "CAP_NET_BIND_SERVICE",
                                                         "CAP_NET_BROADCAST",
                                                         "CAP_NET_ADMIN",
                                                         "CAP_NET_RAW",
                                                         "CAP_IPC_LOCK",
                                                         "CAP_IPC_OWNER",
                                                         "CAP_SYS_MODULE",
                                                         "CAP_SYS_RAWIO",
                                                         "CAP_SYS_CHROOT",
                                                         "CAP_SYS_PTRACE",
                                                         "CAP_SYS_PACCT",
                                                         "CAP_SYS_ADMIN",
                                                         "CAP_SYS_BOOT",
                                                         "CAP_SYS_NICE",
                                                         "CAP_SYS_RESOURCE",
                                                         "CAP_SYS_TIME",
                                                         "CAP_SYS_TTY_CONFIG",
                                                         "CAP_MKNOD",
                                                         "CAP_LEASE",
                                                         "CAP_AUDIT_WRITE",
                                                         "CAP_AUDIT_CONTROL",
                                                         "CAP_SETFCAP",
                                                         "CAP_MAC_OVERRIDE",
                                                         "CAP_MAC_ADMIN",
                                                         "CAP_SYSLOG",
                                                         "CAP_WAKE_ALARM",
                                                         "CAP_BLOCK_SUSPEND",
                                                         "CAP_AUDIT_READ",
                                                         "CAP_PERFMON",
                                                         "CAP_BPF",
                                                         "CAP_CHECKPOINT_RESTORE"};
constexpr std::size_t kPrefix = 4;  // "CAP_"

bool same_letters(std::string_view text, std::string_view capitals) {
    if (text.size() != capitals.size()) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (to_upper(text[i]) != capitals[i]) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::optional<unsigned> parse_capability(std::string_view name) {
    for (unsigned i = 0; i < kKnownCapabilities; ++i) {
        if (same_letters(name, kNames[i]) || same_letters(name, kNames[i].substr(kPrefix))) {
            return i;
        }
    }
    return std::nullopt;
}

std::string_view capability_name(unsigned number) {
    return number < kKnownCapabilities ? kNames[number] : std::string_view();
}

Result<> drop_bounding(CapSet keep) {
    for (unsigned i = 0; i < 64; ++i) {
        // What is to stay need not be asked for; the end is found by what is to go.
        if (i < kKnownCapabilities && (keep & cap_bit(i)) != 0) {
            continue;
        }
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0) {
            continue;
        }
        const int error = errno;
        const int there = prctl(PR_CAPBSET_READ, i, 0, 0, 0);
        if (there < 0) {
            break;  // above the kernel's last capability
        }
        // What is not there need not be dropped: a process without CAP_SETPCAP may keep less.
        if (there == 1) {
            return fail_errno(error, "drop {} from the bounding set", capability_name(i));
        }
    }
    return {};
}

Result<> set_keep_caps(bool keep) {
    if (prctl(PR_SET_KEEPCAPS, keep ? 1 : 0, 0, 0, 0) != 0) {
        return fail_errno(errno, "set keep_caps");
    }
    return {};
}

Result<> set_thread_caps(CapSet effective, CapSet permitted, CapSet inheritable) {
    const auto low = [](CapSet set) { return static_cast<std::uint32_t>(set); };
    const auto high = [](CapSet set) { return static_cast<std::uint32_t>(set >> 32); };
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const __user_cap_data_struct data[2] = {
        {.effective = low(effective), .permitted = low(permitted), .inheritable = low(inheritable)},
        {.effective = high(effective),
         .permitted = high(permitted),
         .inheritable = high(inheritable)}};
    if (syscall(SYS_capset, &header, data) != 0) {
        return fail_errno(errno,
                          "capset effective {:#x} permitted {:#x} inheritable {:#x}",
                          effective,
                          permitted,
                          inheritable);
    }
    return {};
}

Result<> set_ambient(CapSet set) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
        return fail_errno(errno, "clear the ambient set");
    }
    for (unsigned i = 0; i < 64; ++i) {
        if ((set & cap_bit(i)) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0) {
            return fail_errno(errno, "raise {} in the ambient set", capability_name(i));
        }
    }
    return {};
}

Result<CapSets> thread_caps() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {};
    if (syscall(SYS_capget, &header, data) != 0) {
        return fail_errno(errno, "capget");
    }
    const auto join = [](std::uint32_t low, std::uint32_t high) {
        return CapSet{low} | CapSet{high} << 32;
    };
    return CapSets{.effective = join(data[0].effective, data[1].effective),
                   .permitted = join(data[0].permitted, data[1].permitted),
                   .inheritable = join(data[0].inheritable, data[1].inheritable)};
}

}  // namespace knarr::sys
