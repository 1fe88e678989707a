#pragma once
// Where a container's hooks write to: crun's annotations run.oci.hooks.stdout and .stderr.

#include <map>
#include <string>

#include "engine/record.h"
#include "runtime/launch/launch.h"

namespace knarr::engine {

/// Opens the files that the annotations name, to append; they are made 0600 when missing.
/// Errors: those of open(2), with the annotation and the path.
Result<runtime::HookOutput> open_hook_output(const std::map<std::string, std::string>& annotations);

/// Runs the hooks of a container whose program has just started, if it has any. Errors:
/// hook_failed.
Result<> run_poststart(const Record& record);

}  // namespace knarr::engine
