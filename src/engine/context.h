#pragma once

#include <functional>
#include <string_view>

#include "engine/state_dir.h"

namespace knarr::engine {

/// Where an operation works and whom it tells what fails nothing.
struct Context {
    const StateRoot& root;
    std::function<void(std::string_view)> warn;
};

}  // namespace knarr::engine
