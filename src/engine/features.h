#pragma once
// What config.json may ask of this build, as runtime-spec's features.md lays it out.

#include <string>

#include "platform/host_facts.h"

namespace knarr::engine {

/// The features structure as JSON, made from the tables that the plan reads; what depends on the
/// host is asked of `host`. `version` and `commit` are the program's.
/// Source: runtime-spec v1.3.0 features.md, features-linux.md.
std::string features_json(const sys::HostFacts& host,
                          std::string_view version,
                          std::string_view commit);

}  // namespace knarr::engine
