#include "engine/kept_limits.h"

#include <algorithm>

#include <fcntl.h>

#include "bundle/make.h"
#include "bundle/read.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "runtime/native/cgroup_plan.h"
#include "runtime/native/number_set.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kMaxOnlineBytes = 64 * size::kKiB;

/// 0 and "" stay what they were, as with runc.
template <typename T>
void take(std::optional<T>& have, const std::optional<T>& change) {
    if (change && *change != T{}) {
        have = change;
    }
}
void take(std::string& have, const std::string& change) {
    if (!change.empty()) {
        have = change;
    }
}

template <typename T>
T& made(std::optional<T>& one) {
    return one ? *one : one.emplace();
}

/// A further limit of the same device takes the place of the first.
template <typename Device>
void take_devices(std::vector<Device>& have, const std::vector<Device>& change) {
    for (const Device& one : change) {
        std::erase_if(have, [&](const Device& other) {
            return other.major == one.major && other.minor == one.minor;
        });
        have.push_back(one);
    }
}

void change_memory(spec::MemoryLimits& have, const spec::MemoryLimits& change) {
    take(have.limit, change.limit);
    take(have.reservation, change.reservation);
    take(have.swap, change.swap);
    take(have.kernel_tcp, change.kernel_tcp);
    if (change.swappiness) {
        have.swappiness = change.swappiness;
    }
    if (change.disable_oom_killer) {
        have.disable_oom_killer = change.disable_oom_killer;
    }
}

void change_cpu(spec::CpuLimits& have, const spec::CpuLimits& change) {
    take(have.shares, change.shares);
    take(have.quota, change.quota);
    take(have.period, change.period);
    take(have.burst, change.burst);
    take(have.realtime_runtime, change.realtime_runtime);
    take(have.realtime_period, change.realtime_period);
    take(have.cpus, change.cpus);
    take(have.mems, change.mems);
    if (change.idle) {
        have.idle = change.idle;
    }
}

void change_disks(spec::BlockIoLimits& have, const spec::BlockIoLimits& change) {
    take(have.weight, change.weight);
    take(have.leaf_weight, change.leaf_weight);
    take_devices(have.weight_devices, change.weight_devices);
    take_devices(have.read_bps, change.read_bps);
    take_devices(have.write_bps, change.write_bps);
    take_devices(have.read_iops, change.read_iops);
    take_devices(have.write_iops, change.write_iops);
}

}  // namespace

void change_limits(spec::Resources& have, const spec::Resources& change) {
    if (change.memory) {
        change_memory(made(have.memory), *change.memory);
    }
    if (change.cpu) {
        change_cpu(made(have.cpu), *change.cpu);
    }
    if (change.pids_limit) {
        have.pids_limit = change.pids_limit;
    }
    if (change.block_io) {
        change_disks(made(have.block_io), *change.block_io);
    }
    for (const spec::HugepageLimit& one : change.hugepage_limits) {
        std::erase_if(have.hugepage_limits,
                      [&](const auto& other) { return other.page_size == one.page_size; });
        have.hugepage_limits.push_back(one);
    }
    if (change.network) {
        have.network = change.network;
    }
    for (const auto& [name, limit] : change.rdma) {
        have.rdma[name] = limit;
    }
    for (const auto& [file, text] : change.unified) {
        have.unified[file] = text;
    }
}

Result<> check_image_limits(const spec::Resources& wanted) {
    if (wanted.memory && wanted.memory->limit.value_or(0) > 0) {
        KNARR_TRY(bundle::check_memory(*wanted.memory->limit));
    }
    const std::uint64_t shares = wanted.cpu ? wanted.cpu->shares.value_or(0) : 0;
    if (shares > bundle::kMaxCpuShares) {
        return fail(Errc::invalid_argument,
                    "--cpu-shares: {} is not from 2 to {}",
                    shares,
                    bundle::kMaxCpuShares);
    }
    return {};
}

namespace {

Result<> check_list(const char* what,
                    const char* option,
                    const std::string& list,
                    const char* file) {
    const Result<std::string> online = sys::read_file(file, kMaxOnlineBytes);
    const auto there =
        online ? runtime::native::parse_number_set(trimmed(*online), runtime::native::kMaxCpus)
               : std::nullopt;
    const auto wanted = runtime::native::parse_number_set(list, runtime::native::kMaxCpus);
    if (!there || !wanted) {
        return {};  // nobody can tell
    }
    for (std::size_t i = 0; i < wanted->size(); ++i) {
        const std::uint64_t have = i < there->size() ? (*there)[i] : 0;
        if (((*wanted)[i] & ~have) != 0) {
            // docker's words
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("Requested {} are not available - requested "
                                             "{}, available: {}",
                                             what,
                                             list,
                                             trimmed(*online)),
                      .hint = fmt::format("choose among {} with {}", trimmed(*online), option)});
        }
    }
    return {};
}

Result<> check_launchable(const spec::RuntimeConfig& config, const std::string& id) {
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    std::vector<std::string> warnings;  // told when it runs
    KNARR_TRY(runtime::native::plan_cgroup(config, host, id, warnings));
    return check_online(config);
}

}  // namespace

Result<> check_online(const spec::RuntimeConfig& config) {
    if (!config.linux_ || !config.linux_->resources || !config.linux_->resources->cpu) {
        return {};
    }
    const spec::CpuLimits& cpu = *config.linux_->resources->cpu;
    KNARR_TRY(check_list("CPUs", "--cpuset-cpus", cpu.cpus, "/sys/devices/system/cpu/online"));
    return check_list("memory nodes", "--cpuset-mems", cpu.mems, "/sys/devices/system/node/online");
}

Result<> keep_limits(const Record& record, const spec::Resources& change, Check check) {
    if (!record.life) {
        return {};
    }
    bundle::Bundle bundle = KNARR_TRY(bundle::read_bundle(record.data_dir));
    change_limits(made(made(bundle.config.linux_).resources), change);
    if (check == Check::limits) {
        KNARR_TRY(check_launchable(bundle.config, record.id));
    }
    const sys::Fd dir = KNARR_TRY(sys::open_path(record.data_dir, O_RDONLY | O_DIRECTORY));
    return sys::replace_file(
        dir, "config.json", spec::encode_runtime_config(bundle.config), 0644, sys::Sync::file);
}

}  // namespace knarr::engine
