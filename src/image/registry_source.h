#pragma once

#include <memory>

#include "image/reference.h"
#include "image/source.h"
#include "knarr/image.h"

namespace knarr::image {

/// An image in a registry, fetched by knarr-pull. Waits and retries are told through `notice`.
/// Errors: those of PullProcess::start; those of places_of.
Result<std::unique_ptr<Source>> open_registry(const Reference& reference,
                                              const PullOptions& options,
                                              std::function<void(const std::string&)> notice);

}  // namespace knarr::image
