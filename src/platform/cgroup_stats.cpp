#include "platform/cgroup_stats.h"

#include <algorithm>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "core/words.h"
#include "platform/file.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxBytes = size::kMiB;

/// One number; nothing for "max" and for what v1 shows as its largest multiple of a page.
std::optional<std::uint64_t> number(const std::optional<std::string>& text) {
    constexpr std::uint64_t kUnlimited = INT64_MAX - 64 * size::kKiB;
    if (!text) {
        return std::nullopt;
    }
    const auto value = parse_number(std::string_view(*text).substr(0, text->find('\n')));
    return value && *value < kUnlimited ? value : std::nullopt;
}

/// "name value" lines: memory.stat, cpu.stat, memory.events.
std::map<std::string, std::uint64_t> flat(const std::optional<std::string>& text) {
    std::map<std::string, std::uint64_t> out;
    for (const std::string_view line : split(text ? *text : std::string_view(), '\n')) {
        const auto parts = words(line);
        const auto value = parts.size() == 2 ? parse_number(parts[1]) : std::nullopt;
        if (value) {
            out.emplace(parts[0], *value);
        }
    }
    return out;
}

std::optional<std::uint64_t> member(const std::map<std::string, std::uint64_t>& all,
                                    const char* name,
                                    std::uint64_t scale = 1) {
    const auto at = all.find(name);
    return at == all.end() ? std::nullopt : std::optional(at->second * scale);
}

/// USER_HZ, in which cpuacct.stat counts: 100 on every architecture that knarr is built for.
constexpr std::uint64_t kTickNs = 10'000'000;

std::optional<CpuStatistics> cpu_v1(const ReadStatistics& read) {
    const auto total = number(read("cpuacct", "cpuacct.usage"));
    const auto throttling = read("cpu", "cpu.stat");
    if (!total) {
        return std::nullopt;
    }
    CpuStatistics out{.total_ns = *total,
                      .kernel_ns = {},
                      .user_ns = {},
                      .per_cpu_ns = {},
                      .periods = {},
                      .throttled_periods = {},
                      .throttled_ns = {}};
    out.user_ns = number(read("cpuacct", "cpuacct.usage_user"));
    out.kernel_ns = number(read("cpuacct", "cpuacct.usage_sys"));
    if (!out.user_ns) {
        const auto ticks = flat(read("cpuacct", "cpuacct.stat"));
        out.user_ns = member(ticks, "user", kTickNs);
        out.kernel_ns = member(ticks, "system", kTickNs);
    }
    const std::string per_cpu = read("cpuacct", "cpuacct.usage_percpu").value_or("");
    for (const std::string_view word :
         words(std::string_view(per_cpu).substr(0, per_cpu.find('\n')))) {
        if (const auto value = parse_number(word)) {
            out.per_cpu_ns.push_back(*value);
        }
    }
    const auto quota = flat(throttling);
    out.periods = member(quota, "nr_periods");
    out.throttled_periods = member(quota, "nr_throttled");
    out.throttled_ns = member(quota, "throttled_time");
    return out;
}

std::optional<CpuStatistics> cpu_v2(const ReadStatistics& read) {
    const auto stat = flat(read("cpu", "cpu.stat"));
    const auto total = member(stat, "usage_usec", 1000);
    if (!total) {
        return std::nullopt;
    }
    return CpuStatistics{.total_ns = *total,
                         .kernel_ns = member(stat, "system_usec", 1000),
                         .user_ns = member(stat, "user_usec", 1000),
                         .per_cpu_ns = {},
                         .periods = member(stat, "nr_periods"),
                         .throttled_periods = member(stat, "nr_throttled"),
                         .throttled_ns = member(stat, "throttled_usec", 1000)};
}

std::optional<MemoryUse> memory_use_v1(const ReadStatistics& read, std::string_view prefix) {
    const auto file = [&](const char* name) {
        return number(read("memory", fmt::format("{}.{}", prefix, name)));
    };
    const auto usage = file("usage_in_bytes");
    if (!usage) {
        return std::nullopt;
    }
    return MemoryUse{.usage = *usage,
                     .limit = file("limit_in_bytes"),
                     .max = file("max_usage_in_bytes"),
                     .limit_hits = file("failcnt")};
}

std::optional<MemoryStatistics> memory_v1(const ReadStatistics& read) {
    const auto memory = memory_use_v1(read, "memory");
    if (!memory) {
        return std::nullopt;
    }
    MemoryStatistics out{.memory = *memory,
                         .memory_and_swap = memory_use_v1(read, "memory.memsw"),
                         .kernel = memory_use_v1(read, "memory.kmem"),
                         .kernel_tcp = memory_use_v1(read, "memory.kmem.tcp"),
                         .cache = {},
                         .raw = flat(read("memory", "memory.stat"))};
    out.cache = member(out.raw, "cache");
    return out;
}

std::optional<MemoryStatistics> memory_v2(const ReadStatistics& read) {
    const auto usage = number(read("memory", "memory.current"));
    if (!usage) {
        return std::nullopt;
    }
    MemoryStatistics out{
        .memory = {.usage = *usage,
                   .limit = number(read("memory", "memory.max")),
                   .max = number(read("memory", "memory.peak")),
                   .limit_hits = member(flat(read("memory", "memory.events")), "max")},
        .memory_and_swap = {},
        .kernel = {},
        .kernel_tcp = {},
        .cache = {},
        .raw = flat(read("memory", "memory.stat"))};
    out.cache = member(out.raw, "file");
    if (const auto swap = number(read("memory", "memory.swap.current"))) {
        const auto limit = number(read("memory", "memory.swap.max"));
        MemoryUse both{.usage = *usage + *swap, .limit = {}, .max = {}, .limit_hits = {}};
        if (limit && out.memory.limit) {
            both.limit = *limit + *out.memory.limit;
        }
        out.memory_and_swap = both;
    }
    return out;
}

std::optional<PidsStatistics> pids(const ReadStatistics& read) {
    const auto current = number(read("pids", "pids.current"));
    if (!current) {
        return std::nullopt;
    }
    return PidsStatistics{.current = *current, .limit = number(read("pids", "pids.max"))};
}

/// The device of a line; nothing for a line of totals.
std::optional<BlockIoCount> device_of(std::string_view word) {
    const std::size_t colon = word.find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto major = parse_number(word.substr(0, colon));
    const auto minor = parse_number(word.substr(colon + 1));
    if (!major || !minor) {
        return std::nullopt;
    }
    return BlockIoCount{.major = *major, .minor = *minor, .op = {}, .value = 0};
}

/// "8:0 Read 4096" lines.
std::vector<BlockIoCount> counts_v1(std::string_view text) {
    std::vector<BlockIoCount> out;
    for (const std::string_view line : split(text, '\n')) {
        const auto parts = words(line);
        auto one = parts.size() == 3 ? device_of(parts[0]) : std::nullopt;
        const auto value = one ? parse_number(parts[2]) : std::nullopt;
        if (value) {
            one->op = parts[1];
            one->value = *value;
            out.push_back(*std::move(one));
        }
    }
    return out;
}

std::optional<BlockIoStatistics> block_io_v1(const ReadStatistics& read) {
    // With the scheduler BFQ its own counters move, else those of the throttling layer.
    std::optional<BlockIoStatistics> out;
    for (const char* layer : {"blkio.bfq", "blkio.throttle"}) {
        const auto bytes = read("blkio", fmt::format("{}.io_service_bytes_recursive", layer));
        const auto operations = read("blkio", fmt::format("{}.io_serviced_recursive", layer));
        if (!bytes || !operations) {
            continue;
        }
        BlockIoStatistics found{.bytes = counts_v1(*bytes), .operations = counts_v1(*operations)};
        if (!out || !found.bytes.empty()) {
            out = std::move(found);
        }
        if (!out->bytes.empty()) {
            break;
        }
    }
    return out;
}

/// "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0" lines.
std::optional<BlockIoStatistics> block_io_v2(const ReadStatistics& read) {
    const auto text = read("io", "io.stat");
    if (!text) {
        return std::nullopt;
    }
    struct Key {
        std::string_view name, op;
        bool bytes;
    };
    static constexpr Key kKeys[] = {{"rbytes", "Read", true},
                                    {"wbytes", "Write", true},
                                    {"dbytes", "Discard", true},
                                    {"rios", "Read", false},
                                    {"wios", "Write", false},
                                    {"dios", "Discard", false}};
    BlockIoStatistics out;
    for (const std::string_view line : split(*text, '\n')) {
        const auto parts = words(line);
        auto one = parts.empty() ? std::nullopt : device_of(parts[0]);
        for (std::size_t i = 1; one && i < parts.size(); ++i) {
            const std::size_t equals = parts[i].find('=');
            const auto* const key =
                std::ranges::find(kKeys, parts[i].substr(0, equals), &Key::name);
            const auto value = equals == std::string_view::npos
                                   ? std::nullopt
                                   : parse_number(parts[i].substr(equals + 1));
            if (key != std::end(kKeys) && value) {
                one->op = key->op;
                one->value = *value;
                (key->bytes ? out.bytes : out.operations).push_back(*one);
            }
        }
    }
    return out;
}

std::map<std::string, HugepageStatistics> hugepages(const ReadStatistics& read,
                                                    bool v2,
                                                    const std::vector<std::string>& sizes) {
    std::map<std::string, HugepageStatistics> out;
    for (const std::string& page : sizes) {
        const auto file = [&](const char* name) {
            return read("hugetlb", fmt::format("hugetlb.{}.{}", page, name));
        };
        const auto usage = number(file(v2 ? "current" : "usage_in_bytes"));
        if (!usage) {
            continue;
        }
        const auto hits = v2 ? member(flat(file("events")), "max") : number(file("failcnt"));
        out[page] = {.usage = *usage,
                     .max = v2 ? std::nullopt : number(file("max_usage_in_bytes")),
                     .limit_hits = hits.value_or(0)};
    }
    return out;
}

}  // namespace

Statistics cgroup_statistics(const ReadStatistics& read,
                             bool v2,
                             const std::vector<std::string>& page_sizes) {
    return {.cpu = v2 ? cpu_v2(read) : cpu_v1(read),
            .memory = v2 ? memory_v2(read) : memory_v1(read),
            .pids = pids(read),
            .block_io = v2 ? block_io_v2(read) : block_io_v1(read),
            .hugepages = hugepages(read, v2, page_sizes),
            .interfaces = {}};
}

std::vector<std::string> hugepage_sizes() {
    std::vector<std::string> out;
    const Result<Fd> dir = open_path("/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY);
    if (!dir) {
        return out;
    }
    for (const std::string& name : list_dir(*dir).value_or(std::vector<std::string>{})) {
        constexpr std::string_view kPrefix = "hugepages-";  // "hugepages-2048kB"
        if (!name.starts_with(kPrefix) || !name.ends_with("kB")) {
            continue;
        }
        const auto kib = parse_number(
            std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - 2));
        if (kib) {
            constexpr std::uint64_t kStep = 1024;
            out.push_back(*kib >= kStep * kStep ? fmt::format("{}GB", *kib / (kStep * kStep))
                          : *kib >= kStep       ? fmt::format("{}MB", *kib / kStep)
                                                : fmt::format("{}KB", *kib));
        }
    }
    return out;
}

std::vector<InterfaceStatistics> parse_interfaces(std::string_view net_dev) {
    // Two heading lines, then "  eth0: " and sixteen numbers: bytes, packets, errs, drop, fifo,
    // frame, compressed, multicast received, and eight of the same kind sent.
    constexpr std::size_t kNumbers = 16;
    std::vector<InterfaceStatistics> out;
    for (const std::string_view line : split(net_dev, '\n')) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        const auto parts = words(line.substr(colon + 1));
        std::vector<std::uint64_t> numbers;
        for (const std::string_view part : parts) {
            numbers.push_back(parse_number(part).value_or(0));
        }
        if (numbers.size() < kNumbers) {
            continue;
        }
        const std::size_t begin = line.find_first_not_of(' ');
        out.push_back({.name = std::string(line.substr(begin, colon - begin)),
                       .rx_bytes = numbers[0],
                       .rx_packets = numbers[1],
                       .rx_errors = numbers[2],
                       .rx_dropped = numbers[3],
                       .tx_bytes = numbers[8],
                       .tx_packets = numbers[9],
                       .tx_errors = numbers[10],
                       .tx_dropped = numbers[11]});
    }
    return out;
}

std::optional<std::vector<InterfaceStatistics>> interfaces_of(int pid) {
    const Result<Fd> proc = open_path(fmt::format("/proc/{}", pid), O_RDONLY | O_DIRECTORY);
    const Result<Fd> self = open_path("/proc/self", O_RDONLY | O_DIRECTORY);
    if (!proc || !self) {
        return std::nullopt;
    }
    const Result<std::string> theirs = read_link_at(*proc, "ns/net");
    const Result<std::string> ours = read_link_at(*self, "ns/net");
    if (!theirs || !ours || *theirs == *ours) {
        return std::nullopt;
    }
    const Result<std::string> text = read_file_at(*proc, "net/dev", kMaxBytes);
    return text ? std::optional(parse_interfaces(*text)) : std::nullopt;
}

}  // namespace knarr::sys
