// What the simulated /proc says, and of /sys what is no cgroup.

#include <fmt/format.h>

#include "sim/world.h"

namespace knarr::sim {

namespace {

char state_of(const Process& process) {
    return process.life == Life::zombie ? 'Z' : process.stopped ? 'T' : 'S';
}

std::string stat_line(const Process& process) {
    std::string line = fmt::format("{} ({}) {} {} {} {}",
                                   process.pid,
                                   view(process.name),
                                   state_of(process),
                                   process.parent != nullptr ? process.parent->pid : 1,
                                   process.group,
                                   process.session);
    constexpr int kStartTime = 22;
    for (int field = 7; field <= 52; ++field) {
        line += fmt::format(" {}", field == kStartTime ? process.start_ticks : 0);
    }
    return line + "\n";
}

constexpr const char* kMountinfo =
    "20 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"
    "21 20 0:5 / /proc rw,relatime - proc proc rw\n"
    "22 20 0:6 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";

}  // namespace

std::string proc_text(const Process& of, std::string_view file, bool& known) {
    known = true;
    if (file == "stat") {
        return stat_line(of);
    }
    if (file == "status") {
        return fmt::format(
            "Name:\t{}\nState:\t{}\nPid:\t{}\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"
            "SigPnd:\t0000000000000000\nShdPnd:\t{:016x}\n"
            "CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n",
            view(of.name),
            state_of(of),
            of.pid,
            of.pending >> 1U);
    }
    if (file == "cgroup") {
        return fmt::format("0::{}\n", of.cgroup != nullptr ? path_of(*of.cgroup) : "/");
    }
    if (file == "mountinfo") {
        return kMountinfo;
    }
    if (file == "uid_map" || file == "gid_map") {
        return "         0          0 4294967295\n";
    }
    if (file == "setgroups") {
        return "allow\n";
    }
    if (file == "oom_score_adj") {
        return "0\n";
    }
    if (file == "cmdline") {
        return std::string(view(of.name)) + '\0';
    }
    known = false;
    return {};
}

std::string system_text(std::string_view file, bool& known) {
    known = true;
    if (file == "sys/kernel/random/boot_id") {
        return fmt::format("5353da2e-1e50-4a79-9c5c-{:012}\n", world->boots + 1);
    }
    if (file == "sys/kernel/cap_last_cap") {
        return "40\n";
    }
    if (file == "filesystems") {
        return "nodev\tproc\nnodev\tcgroup2\n\text4\n";
    }
    if (file == "devices") {
        return "Character devices:\n  1 mem\n\nBlock devices:\n";
    }
    known = false;
    return {};
}

}  // namespace knarr::sim
