#pragma once
// docker's HostConfig of a container: what it was asked for, as its configuration has it.

#include "engine/record.h"
#include "spec/json_writer.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

void write_host_config(spec::JsonWriter& json,
                       const Record& record,
                       const spec::RuntimeConfig& config);

/// Whether it has one that is not the host's.
bool has_namespace(const spec::RuntimeConfig& config, spec::NamespaceType type);

}  // namespace knarr::engine
