#include "cli/resource_options.h"

#include <algorithm>

#include "bundle/make.h"
#include "cli/key_value.h"
#include "core/text.h"

namespace knarr::cli {

Result<std::optional<std::int64_t>> parse_bytes(const Parsed& args,
                                                std::string_view name,
                                                Unlimited unlimited) {
    const auto text = args.find(name);
    if (!text) {
        return std::nullopt;
    }
    return unlimited == Unlimited::minus_one && *text == "-1"
               ? -1
               : KNARR_TRY(parse_size(*text, fmt::format("--{}", name)));
}

namespace {

constexpr std::uint64_t kLeastWeight = 10, kMaxWeight = 1000;

Result<std::optional<std::uint64_t>> parse_range(const Parsed& args,
                                                 std::string_view name,
                                                 std::uint64_t least,
                                                 std::uint64_t most) {
    const auto number = KNARR_TRY(args.number(name, most));
    if (number && *number == 0) {
        return std::nullopt;  // docker's: as without it
    }
    if (number && *number < least) {
        return fail(
            Errc::invalid_argument, "--{} {} is not from {} to {}", name, *number, least, most);
    }
    return number;
}

Result<> parse_cpu(const Parsed& args, RunRequest& request) {
    constexpr std::uint64_t kLeastUs = 1000, kMaxUs = 1'000'000;
    ResourceSettings& out = request.settings.resources;
    out.cpu_shares = KNARR_TRY(parse_range(args, "cpu-shares", 0, bundle::kMaxCpuShares));
    if (args.has("cpus") && (args.has("cpu-period") || args.has("cpu-quota"))) {
        return fail(Errc::invalid_argument,
                    "--cpus and --{} say the same in two ways: give one",
                    args.has("cpu-period") ? "cpu-period" : "cpu-quota");
    }
    out.cpu_period_us = KNARR_TRY(parse_range(args, "cpu-period", kLeastUs, kMaxUs));
    if (args.get("cpu-quota") != "-1") {
        const auto quota = KNARR_TRY(parse_range(args, "cpu-quota", kLeastUs, INT64_MAX));
        if (quota) {
            request.cpu_quota_us = static_cast<std::int64_t>(*quota);
        }
    }
    constexpr std::uint64_t kMaxRealtimeUs = 1'000'000'000;
    out.realtime_period_us = KNARR_TRY(args.number("cpu-rt-period", kMaxRealtimeUs));
    if (const auto runtime = KNARR_TRY(args.number("cpu-rt-runtime", kMaxRealtimeUs))) {
        out.realtime_runtime_us = static_cast<std::int64_t>(*runtime);
    }
    out.cpuset_cpus = KNARR_TRY(parse_list(args, "cpuset-cpus"));
    out.cpuset_mems = KNARR_TRY(parse_list(args, "cpuset-mems"));
    return {};
}

/// "DEVICE:NUMBER"; a device's path has no colon as its last part.
template <typename Read>
Result<std::vector<DeviceRate>> parse_rates(const Parsed& args,
                                            std::string_view option,
                                            const Read& read) {
    std::vector<DeviceRate> out;
    for (const std::string_view text : args.all(option)) {
        const std::size_t colon = text.rfind(':');
        if (colon == std::string_view::npos || !text.starts_with('/')) {
            return fail(Errc::invalid_argument,
                        "--{} \"{}\" is not /dev/DEVICE:NUMBER",
                        option,
                        printable(text));
        }
        out.push_back({.device = std::string(text.substr(0, colon)),
                       .rate = KNARR_TRY(read(text.substr(colon + 1), option))});
    }
    return out;
}

Result<std::uint64_t> read_rate(std::string_view text, std::string_view option) {
    const std::int64_t bytes = KNARR_TRY(parse_size(text, fmt::format("--{}", option)));
    return static_cast<std::uint64_t>(bytes);
}

Result<std::uint64_t> read_count(std::string_view text, std::string_view option) {
    const auto number = parse_number(text, UINT32_MAX);  // the kernel's bound on v1
    if (!number) {
        return fail(Errc::invalid_argument,
                    "--{}: \"{}\" is not a number from 0 to {}",
                    option,
                    printable(text),
                    UINT32_MAX);
    }
    return *number;
}

Result<std::uint64_t> read_weight(std::string_view text, std::string_view option) {
    const auto number = parse_number(text, kMaxWeight);
    if (!number || *number < kLeastWeight) {
        return fail(Errc::invalid_argument,
                    "--{}: \"{}\" is not a weight from {} to {}",
                    option,
                    printable(text),
                    kLeastWeight,
                    kMaxWeight);
    }
    return *number;
}

Result<> parse_disks(const Parsed& args, ResourceSettings& out) {
    out.device_weights = KNARR_TRY(parse_rates(args, "blkio-weight-device", read_weight));
    out.read_bps = KNARR_TRY(parse_rates(args, "device-read-bps", read_rate));
    out.write_bps = KNARR_TRY(parse_rates(args, "device-write-bps", read_rate));
    out.read_iops = KNARR_TRY(parse_rates(args, "device-read-iops", read_count));
    out.write_iops = KNARR_TRY(parse_rates(args, "device-write-iops", read_count));
    return {};
}

/// Checked as far as that goes without knowing who makes cgroups here.
constexpr std::size_t kMaxParentParts = 64, kMaxParentBytes = 1024;

Result<> parse_parent(const Parsed& args, std::string& out) {
    const std::string_view text = args.get("cgroup-parent");
    const auto parts = split(text, '/');
    const bool climbs = std::ranges::find(parts, "..") != parts.end();
    const bool odd = text.find_first_of(std::string_view("\0\n:", 3)) != std::string_view::npos;
    const bool is_deep = parts.size() > kMaxParentParts || text.size() > kMaxParentBytes;
    if (climbs || odd || is_deep || text == "/") {
        return fail(Errc::invalid_argument,
                    "--cgroup-parent \"{}\" is not the path of a cgroup below the root, nor a "
                    "slice of systemd's such as web.slice, of at most {} parts and {} bytes",
                    printable(text, 100),
                    kMaxParentParts,
                    kMaxParentBytes);
    }
    out = text;
    return {};
}

}  // namespace

Result<std::string> parse_list(const Parsed& args, std::string_view name) {
    const std::string_view text = args.get(name);
    if (args.has(name) &&
        (text.empty() || text.find_first_not_of("0123456789,-") != std::string_view::npos)) {
        return fail(Errc::invalid_argument,
                    "--{} \"{}\" is not a list of numbers such as 0-3,7",
                    name,
                    printable(text));
    }
    return std::string(text);
}

Result<DeviceNumbers> parse_device_numbers(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::invalid_argument,
                    "--device-cgroup-rule \"{}\" is not \"TYPE MAJOR:MINOR ACCESS\", as in "
                    "\"c 42:* rmw\"",
                    printable(text));
    };
    const auto parts = split(text, ' ');
    if (parts.size() != 3 || parts[0].size() != 1 ||
        std::string_view("abc").find(parts[0].front()) == std::string_view::npos) {
        return bad();
    }
    DeviceNumbers out{.type = parts[0].front(), .access = std::string(parts[2])};
    const auto numbers = split(parts[1], ':');
    if (numbers.size() != 2 || out.access.empty() || out.access.size() > 3 ||
        out.access.find_first_not_of("rwm") != std::string::npos) {
        return bad();
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (numbers[i] == "*") {
            continue;
        }
        const auto number = parse_number(numbers[i], UINT32_MAX);
        if (!number) {
            return bad();
        }
        (i == 0 ? out.major : out.minor) = static_cast<std::int64_t>(*number);
    }
    return out;
}

Result<> parse_resources(const Parsed& args,
                         RunRequest& request,
                         std::vector<std::string>& warnings) {
    constexpr std::uint64_t kMaxPercent = 100, kMaxScore = 1000;
    KNARR_TRY(parse_cpu(args, request));
    ResourceSettings& out = request.settings.resources;
    if (args.has("kernel-memory")) {
        warnings.emplace_back(kKernelMemoryIgnored);
    }
    out.memory_reservation = KNARR_TRY(parse_bytes(args, "memory-reservation"));
    out.memory_swap = KNARR_TRY(parse_bytes(args, "memory-swap", Unlimited::minus_one));
    if (args.get("memory-swappiness") != "-1") {
        out.memory_swappiness = KNARR_TRY(args.number("memory-swappiness", kMaxPercent));
    }
    out.block_io_weight = KNARR_TRY(parse_range(args, "blkio-weight", kLeastWeight, kMaxWeight));
    if (const auto text = args.find("oom-score-adj")) {
        const bool minus = text->starts_with('-');
        const auto number = parse_number(text->substr(minus ? 1 : 0), kMaxScore);
        if (!number) {
            return fail(Errc::invalid_argument,
                        "--oom-score-adj \"{}\" is not a number from -1000 to 1000",
                        printable(*text));
        }
        out.oom_score_adj = static_cast<int>(*number) * (minus ? -1 : 1);
    }
    out.waits_for_memory = args.flag("oom-kill-disable");
    KNARR_TRY(parse_disks(args, out));
    for (const std::string_view text : args.all("device-cgroup-rule")) {
        request.settings.device_rules.push_back(KNARR_TRY(parse_device_numbers(text)));
    }
    for (const std::string_view text : args.all("cgroup-conf")) {
        KeyValue pair = KNARR_TRY(parse_key_value(text, "--cgroup-conf", Bare::refused));
        out.unified[pair.key] = std::move(pair.value);
    }
    return parse_parent(args, out.cgroup_parent);
}

}  // namespace knarr::cli
