#pragma once
// Volumes as docker shows them and chooses among them.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/volumes.h"
#include "knarr/result.h"

namespace knarr::cli {

struct VolumeFilter {
    enum class Kind : std::uint8_t { name, label, driver, dangling };
    Kind kind = Kind::name;
    std::string value;  // of a label KEY or KEY=VALUE
    bool dangling = false;
};

/// The filters of docker's `volume ls`. Errors: invalid_argument for what is none.
Result<std::vector<VolumeFilter>> parse_volume_filters(const std::vector<std::string_view>& texts);

/// With docker's mark of one that nobody named.
std::map<std::string, std::string> shown_labels(const engine::VolumeInfo& volume);

/// Whether `fits_all` needs to know who uses a volume.
bool asks_for_users(const std::vector<VolumeFilter>& filters);

/// Filters of one kind are alternatives, but for labels, and all kinds must fit, as docker has it.
bool fits_all(const engine::VolumeInfo& volume,
              bool used,
              const std::vector<VolumeFilter>& filters);

/// A volume as docker's `volume inspect` prints it, and as a line of `volume ls --format json`.
std::string volume_json(const engine::VolumeInfo& volume);
/// Who has it and what it takes, where that was looked up.
struct VolumeUse {
    std::string links = "N/A", size = "N/A";
};
std::string volume_line_json(const engine::VolumeInfo& volume, const VolumeUse& use = {});

}  // namespace knarr::cli
