#pragma once
// linux.resources and linux.cgroupsPath as directories and file texts, for v1, hybrid and v2.

#include <string>
#include <vector>

#include "platform/cgroup.h"
#include "platform/host_facts.h"
#include "spec/runtime_config.h"

namespace knarr::runtime::native {

/// Collects texts for the hierarchies of one host.
class CgroupWriter {
public:
    CgroupWriter(const sys::HostFacts& host, sys::CgroupPlan& plan) : host_(host), plan_(plan) {}

    bool v2() const { return plan_.v2; }
    /// Errors: unsupported when no hierarchy of this host has the controller.
    Result<> add(const char* controller, sys::CgroupWrite write);

private:
    const sys::HostFacts& host_;
    sys::CgroupPlan& plan_;
};

/// The cgroup of a container: where, with which limits. Without linux.cgroupsPath it is
/// "/knarr/ID"; a relative path lies below the caller's own cgroup, as with runc's cgroupfs.
/// Errors: invalid_config, unsupported, each naming the property.
Result<sys::CgroupPlan> plan_cgroup(const spec::RuntimeConfig& config,
                                    const sys::HostFacts& host,
                                    const std::string& id,
                                    std::vector<std::string>& warnings);

/// Refuses numbers and lists that no kernel takes, of a run and an update alike; 0 and "" are
/// unset. Pure. Errors: invalid_config, naming the property.
Result<> check_bounds(const spec::Resources& resources);

/// linux.resources without the device rules. Errors: as plan_cgroup.
Result<> write_resources(const spec::Resources& resources,
                         CgroupWriter& writer,
                         std::vector<std::string>& warnings);
// The parts of it (limits_memory_cpu.cpp, limits_rest.cpp).
Result<> write_memory(const spec::MemoryLimits& memory,
                      CgroupWriter& writer,
                      std::vector<std::string>& warnings);
Result<> write_cpu(const spec::CpuLimits& cpu, CgroupWriter& writer);
Result<> write_pids(std::int64_t limit, CgroupWriter& writer);
Result<> write_block_io(const spec::BlockIoLimits& block_io, CgroupWriter& writer);
Result<> write_hugepages(const std::vector<spec::HugepageLimit>& limits, CgroupWriter& writer);
Result<> write_network(const spec::NetworkLimits& network, CgroupWriter& writer);
Result<> write_rdma(const std::map<std::string, spec::RdmaLimit>& limits, CgroupWriter& writer);
Result<> write_unified(const std::map<std::string, std::string>& files, CgroupWriter& writer);

/// cpu.weight (1 to 10000) for v1 shares (2 to 262144): 2 is 1, 1024 is 100, 262144 is 10000.
/// Source: runc (opencontainers/cgroups) and crun since 2025; systemd-independent.
std::uint64_t weight_of_shares(std::uint64_t shares);
/// io.weight (1 to 10000) for a blkio weight (10 to 1000).
std::uint64_t io_weight_of(std::uint64_t blkio_weight);

}  // namespace knarr::runtime::native
