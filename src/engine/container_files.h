#pragma once

#include "engine/record.h"
#include "platform/fd.h"

namespace knarr::engine {

/// The files of a container made from an image as they are just now, its own layer on top of the
/// image's: a mount that is nowhere, read-only, without devices and set-user-ID programs. The
/// container's lock is not needed: whoever starts it meanwhile is not in the way.
/// Errors: corrupt; those of layer::MountedLayers.
Result<sys::Fd> open_container_files(const Record& record);

}  // namespace knarr::engine
