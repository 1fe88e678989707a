#pragma once

#include <memory>

#include "image/credentials.h"
#include "image/reference.h"
#include "image/source.h"
#include "knarr/image.h"

namespace knarr::image {

/// An image in a registry, fetched by knarr-pull. Waits and retries are told through `notice`.
/// Errors: those of PullProcess::start; invalid_argument for plain http to another host than this.
Result<std::unique_ptr<Source>> open_registry(const Reference& reference,
                                              const Credentials& credentials,
                                              const PullOptions& options,
                                              std::function<void(const std::string&)> notice);

}  // namespace knarr::image
