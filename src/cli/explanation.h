#pragma once

#include <string>
#include <vector>

#include "knarr/container.h"

namespace knarr::cli {

/// What became of a container, for people.
struct Explanation {
    std::string id;
    std::string what;
    std::vector<std::string> why;
    std::string undone;  // of a launch that failed; empty: nothing was
    std::vector<std::string> next;
};
/// Pure.
Explanation explain(const ContainerInfo& info);
/// Of one that is gone. Pure.
Explanation explain(const LaunchFailure& failure);

/// What an exit code says; empty for 0 and for those that are the program's own affair.
std::string meaning_of(int exit_code);

}  // namespace knarr::cli
