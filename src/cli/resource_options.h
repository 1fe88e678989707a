#pragma once
// The options of `run` and `create` of an image that limit what its container may take, and which
// devices it may open.

#include <array>
#include <optional>
#include <string_view>

#include "cli/verb.h"
#include "knarr/run.h"

namespace knarr::cli {

/// Reads all of them into `request`. Errors: invalid_argument naming the option.
Result<> parse_resources(const Parsed& args,
                         RunRequest& request,
                         std::vector<std::string>& warnings);

/// What is said of docker's --kernel-memory.
inline constexpr std::string_view kKernelMemoryIgnored =
    "--kernel-memory is ignored: kernels since 5.16 have no separate limit for kernel memory, "
    "which "
    "counts as memory";

enum class Unlimited : std::uint8_t { refused, minus_one };
/// A size; -1 where that is allowed. Nothing when the option is not given.
Result<std::optional<std::int64_t>> parse_bytes(const Parsed& args,
                                                std::string_view name,
                                                Unlimited unlimited = Unlimited::refused);

/// "0-3,7" of --cpuset-cpus and --cpuset-mems: digits, commas and hyphens; which there are the
/// kernel knows. Empty where the option is not given.
Result<std::string> parse_list(const Parsed& args, std::string_view name);

/// "TYPE MAJOR:MINOR ACCESS" of --device-cgroup-rule, where * is any number: "c 42:* rmw".
Result<DeviceNumbers> parse_device_numbers(std::string_view text);

inline constexpr std::array kResourceOptions{
    Option{.name = "memory-reservation", .value = "SIZE", .help = "what is kept when it is scarce"},
    Option{.name = "memory-swap",
           .value = "SIZE",
           .help = "at most so much memory and swap together; -1: no limit",
           .fallback = "twice --memory"},
    Option{.name = "memory-swappiness", .value = "N", .help = "0 to 100 (cgroup v1)"},
    Option{.name = "kernel-memory", .value = "SIZE", .help = "ignored with a warning"},
    Option{.name = "oom-kill-disable",
           .help = "at --memory it waits for memory instead of being killed (cgroup v1)"},
    Option{.name = "oom-score-adj",
           .value = "N",
           .help = "how soon it is killed for want of memory, -1000 to 1000"},
    Option{.name = "cpu-shares",
           .letter = 'c',
           .value = "N",
           .help = "share of busy CPUs, 1024 is usual"},
    Option{.name = "cpu-period", .value = "US", .help = "what --cpu-quota counts in"},
    Option{.name = "cpu-quota", .value = "US", .help = "at most so much of each period"},
    Option{
        .name = "cpu-rt-period", .value = "US", .help = "period of --cpu-rt-runtime (cgroup v1)"},
    Option{.name = "cpu-rt-runtime", .value = "US", .help = "real-time CPU time (cgroup v1)"},
    Option{.name = "cpuset-cpus", .value = "LIST", .help = "on these CPUs alone: 0-3,7"},
    Option{.name = "cpuset-mems", .value = "LIST", .help = "memory of these nodes alone"},
    Option{.name = "blkio-weight", .value = "N", .help = "share of busy disks, 10 to 1000"},
    Option{.name = "blkio-weight-device",
           .value = "DEVICE:N",
           .help = "the same of one disk of the host",
           .repeatable = true},
    Option{.name = "device-read-bps",
           .value = "DEVICE:SIZE",
           .help = "read at most so much of it a second: /dev/sda:1m",
           .repeatable = true},
    Option{.name = "device-write-bps",
           .value = "DEVICE:SIZE",
           .help = "write at most so much to it a second",
           .repeatable = true},
    Option{.name = "device-read-iops",
           .value = "DEVICE:N",
           .help = "at most so many reads a second",
           .repeatable = true},
    Option{.name = "device-write-iops",
           .value = "DEVICE:N",
           .help = "at most so many writes a second",
           .repeatable = true},
    Option{.name = "device-cgroup-rule",
           .value = "RULE",
           .help = "devices that it may open, by number: \"c 42:* rmw\"",
           .repeatable = true},
    Option{.name = "cgroup-parent",
           .value = "CGROUP",
           .help = "make its cgroup in this one; of systemd, a slice: web.slice"},
    Option{.name = "cgroup-conf",
           .value = "FILE=TEXT",
           .help = "write a file of cgroup v2: memory.high=100000000",
           .repeatable = true},
};

}  // namespace knarr::cli
