#include <algorithm>

#include "cli/containers.h"
#include "cli/refused.h"
#include "cli/resource_options.h"
#include "cli/run_options.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{
        .name = "resources",
        .letter = 'r',
        .value = "FILE",
        .help = "a linux.resources object as JSON; - reads standard input; no other option then"},
    Option{
        .name = "memory", .letter = 'm', .value = "SIZE", .help = "limit of memory, 64m; -1: none"},
    Option{.name = "memory-reservation", .value = "SIZE", .help = "what it keeps under pressure"},
    Option{.name = "memory-swap", .value = "SIZE", .help = "limit of memory and swap together"},
    Option{.name = "kernel-memory", .value = "SIZE", .help = "ignored with a warning"},
    Option{.name = "kernel-memory-tcp", .value = "SIZE", .help = "limit of TCP buffers (v1)"},
    Option{.name = "cpus",
           .value = "N",
           .help = "at most so many CPUs: 1.5; a quota of each 100 ms; 0: no limit"},
    Option{.name = "cpu-shares", .letter = 'c', .value = "N", .help = "weight, 2 to 262144"},
    Option{.name = "cpu-share", .value = "N", .help = "the same"},
    Option{.name = "cpu-period", .value = "US", .help = "the period that --cpu-quota is about"},
    Option{.name = "cpu-quota", .value = "US", .help = "CPU time in a period; -1: no limit"},
    Option{.name = "cpu-burst", .value = "US", .help = "what may be saved up from other periods"},
    Option{.name = "cpu-idle", .value = "0|1", .help = "1: only what nobody else wants"},
    Option{.name = "cpu-rt-period", .value = "US", .help = "period of --cpu-rt-runtime (v1)"},
    Option{.name = "cpu-rt-runtime", .value = "US", .help = "real-time CPU time (v1)"},
    Option{.name = "cpuset-cpus", .value = "LIST", .help = "CPUs to run on: 0-3,7"},
    Option{.name = "cpuset-mems", .value = "LIST", .help = "memory nodes to use: 0-1"},
    Option{.name = "pids-limit", .value = "N", .help = "processes; -1: no limit; of images also 0"},
    Option{.name = "blkio-weight", .value = "N", .help = "weight of block I/O, 10 to 1000"},
    Option{.name = "restart",
           .value = "POLICY",
           .help = "no, on-failure[:N], always or unless-stopped, from now on"},
    Option{.name = "l3-cache-schema",
           .value = "TEXT",
           .help = "Intel RDT: changing it is not built yet"},
    Option{.name = "mem-bw-schema",
           .value = "TEXT",
           .help = "Intel RDT: changing it is not built yet"},
};

std::unexpected<Error> bad(std::string_view name, std::string_view text, std::string_view wanted) {
    return fail(
        Errc::invalid_argument, "option --{}: \"{}\" is not {}", name, printable(text), wanted);
}

Result<> read_size(const Parsed& args, std::string_view name, std::optional<std::int64_t>& out) {
    const auto text = args.find(name);
    if (text) {
        out = *text == "-1" ? -1 : KNARR_TRY(parse_size(*text, fmt::format("option --{}", name)));
    }
    return {};
}

/// A whole number, or -1.
Result<> read_signed(const Parsed& args, std::string_view name, std::optional<std::int64_t>& out) {
    const auto text = args.find(name);
    if (!text) {
        return {};
    }
    const auto value =
        *text == "-1" ? std::optional<std::uint64_t>(0) : parse_number(*text, INT64_MAX);
    if (!value) {
        return bad(name, *text, "a whole number or -1");
    }
    out = *text == "-1" ? -1 : static_cast<std::int64_t>(*value);
    return {};
}

Result<> read_cpu(const Parsed& args, UpdateRequest& out) {
    if (args.has("cpu-shares") && args.has("cpu-share")) {
        return fail(Errc::invalid_argument, "--cpu-shares and --cpu-share are the same: give one");
    }
    const std::string_view shares = args.has("cpu-share") ? "cpu-share" : "cpu-shares";
    out.cpu_shares = KNARR_TRY(args.number(shares, UINT64_MAX));
    out.cpu_period_us = KNARR_TRY(args.number("cpu-period", UINT64_MAX));
    out.cpu_burst_us = KNARR_TRY(args.number("cpu-burst", INT64_MAX));
    out.realtime_period_us = KNARR_TRY(args.number("cpu-rt-period", UINT64_MAX));
    KNARR_TRY(read_signed(args, "cpu-quota", out.cpu_quota_us));
    KNARR_TRY(read_signed(args, "cpu-rt-runtime", out.realtime_runtime_us));
    const auto idle = KNARR_TRY(args.number("cpu-idle", 1));
    if (idle) {
        out.cpu_idle = static_cast<std::int64_t>(*idle);
    }
    if (const auto cpus = args.find("cpus")) {
        if (args.has("cpu-quota") || args.has("cpu-period")) {
            return fail(Errc::invalid_argument,
                        "--cpus and --{} say the same in two ways: give one",
                        args.has("cpu-period") ? "cpu-period" : "cpu-quota");
        }
        out.cpu_quota_us = *cpus == "0" ? -1 : KNARR_TRY(parse_cpus(*cpus));
        out.cpu_period_us = std::uint64_t{kCpuPeriodUs};
    }
    out.cpuset_cpus = KNARR_TRY(parse_list(args, "cpuset-cpus"));
    out.cpuset_mems = KNARR_TRY(parse_list(args, "cpuset-mems"));
    return {};
}

Result<std::string> read_resources(std::string_view file) {
    const std::string path(file == "-" ? "/dev/stdin" : file);
    std::string text =
        KNARR_TRY(sys::read_file(path, limits::kMaxBundleConfigBytes), "option --resources");
    if (text.empty()) {
        return fail(Errc::invalid_argument,
                    "option --resources: {} is empty",
                    file == "-" ? "standard input" : printable(file));
    }
    return text;
}

Result<UpdateRequest> request_of(Context& context, const Parsed& args) {
    UpdateRequest out;
    const bool others = std::ranges::any_of(kOptions, [&](const Option& option) {
        return option.name != "resources" && option.name != "restart" && args.has(option.name);
    });
    if (const auto file = args.find("resources")) {
        if (others) {
            return fail(Errc::invalid_argument,
                        "--resources says all of it: no other option goes with it");
        }
        out.resources_json = KNARR_TRY(read_resources(*file));
        return out;
    }
    if (!others) {
        return fail(Errc::invalid_argument, "nothing to change: which limit?");
    }
    if (args.has("l3-cache-schema") || args.has("mem-bw-schema")) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "changing a container's share of cache and memory bandwidth "
                                     "(Intel RDT) is not built yet",
                          .hint = "write to its group's schemata below /sys/fs/resctrl"});
    }
    if (args.has("kernel-memory")) {
        context.reporter.warn(kKernelMemoryIgnored);
    }
    KNARR_TRY(read_size(args, "memory", out.memory_bytes));
    KNARR_TRY(read_size(args, "memory-reservation", out.memory_reservation));
    KNARR_TRY(read_size(args, "memory-swap", out.memory_swap));
    KNARR_TRY(read_size(args, "kernel-memory-tcp", out.kernel_memory_tcp));
    KNARR_TRY(read_cpu(args, out));
    KNARR_TRY(read_signed(args, "pids-limit", out.pids_limit));
    const auto weight = KNARR_TRY(args.number("blkio-weight", 1000));
    if (weight) {
        out.block_io_weight = static_cast<std::uint16_t>(*weight);
    }
    return out;
}

/// Whether anything but the restart policy is to change.
bool has_limits(const Parsed& args) {
    return std::ranges::any_of(kOptions, [&](const Option& option) {
        return option.name != "restart" && args.has(option.name);
    });
}

Result<int> run_update(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    std::optional<RestartPolicy> restart;
    if (const auto text = args.find("restart")) {
        restart = KNARR_TRY(parse_restart_policy(*text), "--restart");
    }
    std::optional<UpdateRequest> limits;
    if (!restart || has_limits(args)) {
        limits = KNARR_TRY(request_of(context, args));
    }
    context.failure_status = kRuncFailure;
    Engine engine = KNARR_TRY(open_engine(context));
    return for_each_container(context, args, [&](std::string_view id) -> Result<> {
        if (limits) {
            KNARR_TRY(engine.update(id, *limits));
        }
        if (restart) {
            KNARR_TRY(engine.set_restart_policy(id, *restart));
        }
        const auto info = engine.state(id);
        // docker's way; runc prints nothing
        return info && !info->image.empty() ? print(fmt::format("{}\n", id)) : Result<>{};
    });
}

}  // namespace

constexpr Verb kUpdate{
    .name = "update",
    .synopsis = "[options] ID...",
    .summary = "change the limits of a container",
    .about =
        "Changes limits of a created, running or paused container: all that are named, or none. "
        "One\n"
        "of an image keeps them for its later runs, and may have ended or not have run yet.\n"
        "What is not named stays. A quota without a period keeps the period in force, and the\n"
        "other way round. 0 is \"unchanged\" for memory and CPU, as with runc. --restart holds "
        "for\n"
        "stopped ones as well.",
    .example = "knarr update --memory 256m --pids-limit 100 web",
    .options = kOptions,
    .rules = {.refused = kRefusedByUpdate},
    .run = run_update,
};

}  // namespace knarr::cli
