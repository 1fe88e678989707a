#pragma once
// What a later exec needs of a container's configuration, kept in its state directory at create, so
// that edits of config.json do not matter: `config.json` with what concerns processes, and
// `seccomp` with the filter as the kernel takes it, so that exec compiles no profile.

#include <optional>
#include <string>
#include <string_view>

#include "engine/state_dir.h"
#include "platform/seccomp.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

inline constexpr const char* kKeptConfigFile = "config.json";
inline constexpr const char* kKeptSeccompFile = "seccomp";
/// An annotation of the kept configuration: there is a filter, and nobody runs without it.
inline constexpr const char* kKeptFilterMark = "knarr.kept.seccomp";

/// A container's configuration for further processes.
struct KeptConfig {
    spec::RuntimeConfig config;  // process, namespaces and what else concerns every process
    std::optional<sys::SeccompProgram> seccomp;
};

/// The part of `config` that is kept.
spec::RuntimeConfig part_to_keep(const spec::RuntimeConfig& config);

/// Whether a launch came past its record, which may be empty or lost since: the configuration is
/// kept after it. Without it, nothing was made that could run.
Result<bool> had_record(const sys::Fd& dir);

Result<> keep_config(const LockedDir& dir,
                     const spec::RuntimeConfig& config,
                     const std::optional<sys::SeccompProgram>& seccomp);
/// Errors: corrupt, also when the filter that it was kept with is gone; sys_errno ENOENT for a
/// container of a knarr that kept none.
Result<KeptConfig> load_kept_config(const sys::Fd& dir);

/// The filter as bytes: a header of 16 bytes, then the instructions. Host order: a filter is never
/// read on another machine.
std::string encode_filter(const sys::SeccompProgram& program);
Result<sys::SeccompProgram> decode_filter(std::string_view bytes);

}  // namespace knarr::engine
