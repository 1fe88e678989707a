// linux.resources.{pids,blockIO,hugepageLimits,network,rdma,unified} as cgroup texts.
// Source: runtime-spec config-linux.md; kernel cgroup-v1/, cgroup-v2.rst.

#include <algorithm>

#include "core/text.h"
#include "runtime/native/cgroup_plan.h"

namespace knarr::runtime::native {

namespace {

std::string device(std::int64_t major, std::int64_t minor) {
    return fmt::format("{}:{}", major, minor);
}

struct Throttle {
    const std::vector<spec::ThrottleDevice> spec::BlockIoLimits::* list;
    const char* v1_file;
    const char* v2_key;
    const char* property;
};
constexpr Throttle kThrottles[] = {
    {&spec::BlockIoLimits::read_bps,
     "blkio.throttle.read_bps_device",
     "rbps",
     "linux.resources.blockIO.throttleReadBpsDevice"},
    {&spec::BlockIoLimits::write_bps,
     "blkio.throttle.write_bps_device",
     "wbps",
     "linux.resources.blockIO.throttleWriteBpsDevice"},
    {&spec::BlockIoLimits::read_iops,
     "blkio.throttle.read_iops_device",
     "riops",
     "linux.resources.blockIO.throttleReadIOPSDevice"},
    {&spec::BlockIoLimits::write_iops,
     "blkio.throttle.write_iops_device",
     "wiops",
     "linux.resources.blockIO.throttleWriteIOPSDevice"},
};

Result<> check_weight(std::uint16_t weight, const char* property) {
    if (weight < 10 || weight > 1000) {
        return fail(Errc::invalid_config, "{}: {} is not in 10 to 1000", property, weight);
    }
    return {};
}

Result<> write_weights(const spec::BlockIoLimits& block_io, CgroupWriter& writer) {
    constexpr const char* kWeight = "linux.resources.blockIO.weight";
    constexpr const char* kDevices = "linux.resources.blockIO.weightDevice";
    const bool v2 = writer.v2();
    if (block_io.weight.value_or(0) != 0) {
        const std::uint16_t weight = *block_io.weight;
        KNARR_TRY(check_weight(weight, kWeight));
        // BFQ's file takes the number as it is; io.weight has another scale.
        KNARR_TRY(writer.add(
            v2 ? "io" : "blkio",
            {.file = v2 ? "io.bfq.weight" : "blkio.bfq.weight",
             .text = fmt::format("{}", weight),
             .property = kWeight,
             .other_file = v2 ? "io.weight" : "blkio.weight",
             .other_text = fmt::format("{}", v2 ? io_weight_of(weight) : std::uint64_t{weight})}));
    }
    for (const spec::WeightDevice& one : block_io.weight_devices) {
        if (one.weight.value_or(0) != 0) {
            KNARR_TRY(check_weight(*one.weight, kDevices));
            const std::string name = device(one.major, one.minor);
            const std::string text = fmt::format("{} {}", name, *one.weight);
            KNARR_TRY(writer.add(
                v2 ? "io" : "blkio",
                {.file = v2 ? "io.bfq.weight" : "blkio.bfq.weight_device",
                 .text = text,
                 .property = kDevices,
                 .other_file = v2 ? "io.weight" : "blkio.weight_device",
                 .other_text = v2 ? fmt::format("{} {}", name, io_weight_of(*one.weight)) : text}));
        }
    }
    return {};
}

/// Leaf weights belonged to CFQ, which left the kernel with 5.0.
Result<> write_leaf_weights(const spec::BlockIoLimits& block_io, CgroupWriter& writer) {
    constexpr const char* kLeaf = "linux.resources.blockIO.leafWeight";
    const auto needs_v1 = [&]() -> Result<> {
        if (writer.v2()) {
            return fail(Errc::unsupported, "{}: cgroup v2 has no leaf weights", kLeaf);
        }
        return {};
    };
    if (block_io.leaf_weight.value_or(0) != 0) {
        KNARR_TRY(needs_v1());
        KNARR_TRY(writer.add("blkio",
                             {.file = "blkio.leaf_weight",
                              .text = fmt::format("{}", *block_io.leaf_weight),
                              .property = kLeaf}));
    }
    for (const spec::WeightDevice& one : block_io.weight_devices) {
        if (one.leaf_weight.value_or(0) != 0) {
            KNARR_TRY(needs_v1());
            KNARR_TRY(writer.add(
                "blkio",
                {.file = "blkio.leaf_weight_device",
                 .text = fmt::format("{} {}", device(one.major, one.minor), *one.leaf_weight),
                 .property = kLeaf}));
        }
    }
    return {};
}

}  // namespace

std::uint64_t io_weight_of(std::uint64_t blkio_weight) {
    return 1 + (blkio_weight - 10) * 9999 / 990;
}

Result<> write_pids(std::int64_t limit, CgroupWriter& writer) {
    // 0 is a limit like others (runtime-spec 1.3) and forbids every fork. The container's first
    // process is there anyway, and cannot be cloned into a cgroup that says 0: 1 means the same.
    return writer.add(
        "pids",
        {.file = "pids.max",
         .text = limit < 0 ? "max" : fmt::format("{}", std::max<std::int64_t>(limit, 1)),
         .property = "linux.resources.pids.limit"});
}

Result<> write_block_io(const spec::BlockIoLimits& block_io, CgroupWriter& writer) {
    KNARR_TRY(write_weights(block_io, writer));
    KNARR_TRY(write_leaf_weights(block_io, writer));
    for (const Throttle& kind : kThrottles) {
        for (const spec::ThrottleDevice& one : block_io.*kind.list) {
            const std::string name = device(one.major, one.minor);
            if (writer.v2()) {
                // 0 is "no bound" on v1 and refused by v2.
                const std::string rate = one.rate == 0 ? "max" : fmt::format("{}", one.rate);
                KNARR_TRY(writer.add("io",
                                     {.file = "io.max",
                                      .text = fmt::format("{} {}={}", name, kind.v2_key, rate),
                                      .property = kind.property}));
            } else {
                KNARR_TRY(writer.add("blkio",
                                     {.file = kind.v1_file,
                                      .text = fmt::format("{} {}", name, one.rate),
                                      .property = kind.property}));
            }
        }
    }
    return {};
}

Result<> write_hugepages(const std::vector<spec::HugepageLimit>& limits, CgroupWriter& writer) {
    constexpr const char* kProperty = "linux.resources.hugepageLimits";
    for (const spec::HugepageLimit& one : limits) {
        const std::size_t digits =
            std::min(one.page_size.find_first_not_of("0123456789"), one.page_size.size());
        const std::string_view unit = std::string_view(one.page_size).substr(digits);
        if (digits == 0 || (unit != "KB" && unit != "MB" && unit != "GB")) {
            return fail(Errc::invalid_config,
                        "{}.pageSize: \"{}\" is not a size such as 64KB, 2MB or 1GB",
                        kProperty,
                        printable(one.page_size));
        }
        const char* end = writer.v2() ? "max" : "limit_in_bytes";
        const std::string limit = fmt::format("{}", one.limit);
        KNARR_TRY(writer.add("hugetlb",
                             {.file = fmt::format("hugetlb.{}.{}", one.page_size, end),
                              .text = limit,
                              .property = kProperty}));
        // Reservations too, where the kernel counts them (5.7): else a process gets SIGBUS instead
        // of an error from mmap.
        KNARR_TRY(writer.add("hugetlb",
                             {.file = fmt::format("hugetlb.{}.rsvd.{}", one.page_size, end),
                              .text = limit,
                              .optional = true,
                              .property = kProperty}));
    }
    return {};
}

Result<> write_network(const spec::NetworkLimits& network, CgroupWriter& writer) {
    constexpr const char* kClass = "linux.resources.network.classID";
    constexpr const char* kPriorities = "linux.resources.network.priorities";
    const bool class_id = network.class_id.value_or(0) != 0;
    if (writer.v2() && (class_id || !network.priorities.empty())) {
        return fail(Errc::unsupported,
                    "{}: cgroup v2 has neither net_cls nor net_prio",
                    class_id ? kClass : kPriorities);
    }
    if (class_id) {
        KNARR_TRY(writer.add("net_cls",
                             {.file = "net_cls.classid",
                              .text = fmt::format("{}", *network.class_id),
                              .property = kClass}));
    }
    for (const spec::InterfacePriority& one : network.priorities) {
        KNARR_TRY(writer.add("net_prio",
                             {.file = "net_prio.ifpriomap",
                              .text = fmt::format("{} {}", one.name, one.priority),
                              .property = kPriorities}));
    }
    return {};
}

Result<> write_rdma(const std::map<std::string, spec::RdmaLimit>& limits, CgroupWriter& writer) {
    for (const auto& [name, limit] : limits) {
        std::string text = name;
        if (limit.hca_handles) {
            text += fmt::format(" hca_handle={}", *limit.hca_handles);
        }
        if (limit.hca_objects) {
            text += fmt::format(" hca_object={}", *limit.hca_objects);
        }
        KNARR_TRY(writer.add(
            "rdma", {.file = "rdma.max", .text = text, .property = "linux.resources.rdma"}));
    }
    return {};
}

Result<> write_unified(const std::map<std::string, std::string>& files, CgroupWriter& writer) {
    for (const auto& [file, text] : files) {
        const std::string property =
            fmt::format("linux.resources.unified[\"{}\"]", printable(file));
        if (!writer.v2()) {
            // runc's words first: its tests and callers know them.
            return fail(Errc::unsupported,
                        "invalid configuration: {}: this host's cgroups are not v2",
                        property);
        }
        const std::size_t dot = file.find('.');
        if (dot == std::string::npos || dot == 0 || file.find('/') != std::string::npos) {
            return fail(Errc::invalid_config,
                        "{}: not the name of a cgroup file such as memory.high",
                        property);
        }
        // Files such as io.max take one line a write.
        for (const std::string_view line : split(text, '\n')) {
            if (line.empty() && text.find('\n') != std::string::npos) {
                continue;
            }
            KNARR_TRY(writer.add(file.substr(0, dot).c_str(),
                                 {.file = file, .text = std::string(line), .property = property}));
        }
    }
    return {};
}

}  // namespace knarr::runtime::native
