#pragma once
// Annotations that crun documents and that engines set: what each one means here. Those that only
// concern hooks, terminals or systemd are read where they act. Annotations of other names are
// ignored, as the specification demands.

#include <string>

#include "platform/host_facts.h"
#include "spec/runtime_config.h"

namespace knarr::runtime::native {

inline constexpr const char* kKeepGroups = "run.oci.keep_original_groups";
inline constexpr const char* kFailUnknownSyscall = "run.oci.seccomp_fail_unknown_syscall";

/// The annotation's text; empty when it is not there.
std::string annotation(const spec::RuntimeConfig& config, const char* name);
/// Is it there, with another value than "0" and "false"?
bool is_annotated(const spec::RuntimeConfig& config, const char* name);

/// Refuses annotations that ask for what this build or host does not have, rather than to run a
/// container other than the one asked for.
/// Errors: unsupported, invalid_config, naming the annotation.
Result<> check_annotations(const spec::RuntimeConfig& config, const sys::HostFacts& host);

/// The mount option that carries linux.mountLabel: run.oci.mount_context_type, else "context".
std::string label_option(const spec::RuntimeConfig& config);
/// Where a v1 hierarchy of systemd's is mounted instead of the v2 one; empty: nowhere.
/// run.oci.systemd.force_cgroup_v1, which means something on v2 hosts only.
std::string systemd_v1_place(const spec::RuntimeConfig& config, const sys::HostFacts& host);
/// A line of /proc/self/timens_offsets, from run.oci.timens_offset; linux.timeOffsets goes first.
std::string time_offset_line(const spec::RuntimeConfig& config);

}  // namespace knarr::runtime::native
