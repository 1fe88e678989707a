#pragma once
// New limits of a container of an image, kept for when it runs again, and for who asks for them.

#include "engine/record.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

/// Limits as `update` has them: what is not there, and 0 of memory and CPU, stays as it is. Pure.
void change_limits(spec::Resources& have, const spec::Resources& change);

/// The bounds that `run` and `create` have for an image's container besides the kernel's. Pure.
/// Errors: invalid_argument.
Result<> check_image_limits(const spec::Resources& wanted);

/// Refuses CPUs and memory nodes that this machine does not have, with which a launch would fail.
/// Errors: invalid_argument.
Result<> check_online(const spec::RuntimeConfig& config);

/// What is seen to before limits are kept.
enum class Check : std::uint8_t { limits, nothing };
/// Changes the limits in the configuration that its next run is made from; the caller has locked
/// the container. Nothing is changed for a container of a bundle, whose configuration is its
/// owner's. With Check::limits it is first seen whether a launch would take them. Errors: io,
/// corrupt; invalid_config, unsupported for limits that no launch here takes.
Result<> keep_limits(const Record& record, const spec::Resources& change, Check check);

}  // namespace knarr::engine
