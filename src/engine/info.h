#pragma once
// What this host and this build can do, for `knarr info`: each thing with the reason when it
// cannot be had.

#include <string>
#include <string_view>
#include <vector>

#include "knarr/types.h"
#include "platform/host_facts.h"

namespace knarr::engine {

struct Feature {
    std::string name;
    bool available = false;
    std::string reason;  // why not, and what to do; empty when available
};

/// Where a host is looked at; tests give other roots.
struct HostRoots {
    std::string proc = "/proc", dev = "/dev";
};

struct HostReport {
    std::string os = "linux";
    std::string architecture;  // GOARCH: "amd64"
    std::string machine;       // uname -m
    std::string kernel;
    sys::CgroupLayout cgroup_layout = sys::CgroupLayout::none;
    std::vector<std::string> cgroup_controllers;  // sorted
    std::vector<Feature> features;                // namespaces, seccomp, overlay, kvm, ...
    std::vector<Feature> isolation;               // native microvm wasm host
};

/// "none", "v1", "hybrid", "v2".
std::string_view name_of(sys::CgroupLayout layout);

/// The snapshot driver that a pull into `data_root` uses; `wanted` may be empty.
Result<std::string> snapshot_driver(std::string_view wanted, const std::string& data_root);
/// Whether layers can be kept as EROFS images there.
Feature erofs_layers(const std::string& data_root);

HostReport report_host(const sys::HostFacts& facts, const HostRoots& roots);

}  // namespace knarr::engine
