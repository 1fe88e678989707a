// Any bytes as config.json, up to the plan: refused or planned, for every layout of cgroups.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "runtime/launch/plan.h"
#include "runtime/native/plan.h"

namespace sys = knarr::sys;

namespace {

std::array<sys::HostFacts, 2> make_hosts() {
    sys::HostFacts v1;
    v1.kernel_release = "6.18.44";
    v1.kernel_major = 6;
    v1.kernel_minor = 18;
    v1.machine = "x86_64";
    v1.effective_caps = v1.bounding_caps = 0x1ffffffffff;
    sys::HostFacts v2 = v1;
    v1.cgroup_layout = sys::CgroupLayout::v1;
    for (const char* name : {"memory", "cpu", "cpuset", "pids", "devices", "blkio", "freezer"}) {
        v1.cgroups.push_back({.controllers = {name},
                              .mount_point = std::string("/sys/fs/cgroup/") + name,
                              .own_path = "/"});
    }
    v2.cgroup_layout = sys::CgroupLayout::v2;
    v2.cgroups = {{.controllers = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"},
                   .mount_point = "/sys/fs/cgroup",
                   .own_path = "/user.slice",
                   .v2 = true}};
    v2.uid = 1000;
    return {v1, v2};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto kHosts = make_hosts();
    auto config = knarr::spec::decode_runtime_config({reinterpret_cast<const char*>(data), size});
    if (!config) {
        return 0;
    }
    const knarr::bundle::Bundle bundle{.directory = "/bundle",
                                       .config = std::move(*config),
                                       .rootfs = knarr::bundle::DirRoot{.path = "/bundle/rootfs"},
                                       .isolation = knarr::Isolation::native};
    for (const sys::HostFacts& host : kHosts) {
        const auto plan =
            knarr::runtime::native::make_plan(bundle, host, {.id = "fuzz", .console_socket = true});
        if (plan && knarr::runtime::plan_json(*plan).empty()) {
            std::abort();
        }
    }
    return 0;
}
