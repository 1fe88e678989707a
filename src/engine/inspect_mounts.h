#pragma once
// A container's volumes, host directories and file systems in memory in the shape of docker's API:
// what -v asked for is apart from what --mount did.

#include "engine/record.h"
#include "spec/json_writer.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

/// Mounts: all of them, but for what --tmpfs asked for, as docker has it.
void write_mounts(spec::JsonWriter& json, const Record& record, const spec::RuntimeConfig& config);

/// HostConfig's Binds, of -v, and Mounts, of --mount. Anonymous volumes of -v are in neither.
void write_asked_mounts(spec::JsonWriter& json,
                        const Record& record,
                        const spec::RuntimeConfig& config);

/// Whether a tmpfs was asked for by --mount.
bool is_by_mount(const Record& record, const spec::Mount& mount);

}  // namespace knarr::engine
