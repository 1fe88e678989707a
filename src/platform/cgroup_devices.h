#pragma once
// Device access on cgroup v2: a BPF program made from rules. On v1 the kernel keeps the list
// itself.

#include <cstdint>
#include <span>
#include <vector>

#include "platform/cgroup.h"
#include "platform/fd.h"

namespace knarr::sys {

/// A BPF instruction, as struct bpf_insn lays it out.
using BpfInstruction = std::uint64_t;

/// The program that decides as `rules` do: for each access bit (read, write, mknod) that is asked
/// for the last rule that matches the device decides; a bit that no rule decides is denied.
/// Source: kernel include/uapi/linux/bpf.h, struct bpf_cgroup_dev_ctx.
std::vector<BpfInstruction> device_program(std::span<const CgroupDeviceRule> rules);

/// Loads the program and attaches it to a v2 cgroup, beside programs of its ancestors.
/// Errors: denied without CAP_BPF or CAP_SYS_ADMIN; unsupported without CONFIG_CGROUP_BPF.
Result<> attach_device_rules(const Fd& cgroup, std::span<const CgroupDeviceRule> rules);

}  // namespace knarr::sys
