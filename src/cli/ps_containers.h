#pragma once
// `knarr ps` without an ID: containers as docker's ps lists them.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/container_details.h"
#include "cli/verb.h"
#include "knarr/container.h"

namespace knarr::cli {

/// `filters` besides those of --filter; `format` is --format, empty for docker's table.
Result<int> list_running(Context& context,
                         const Parsed& args,
                         std::vector<std::string_view> filters,
                         std::string_view format);

/// Beginnings of IDs that are told apart: twelve digits, as docker has it, or as many more as it
/// takes. IDs that somebody chose stay whole.
std::vector<std::string> short_ids(const std::vector<ContainerInfo>& all);

/// "Up 5 minutes (Paused)", "Exited (0) 2 hours ago", "Created"; `now` in seconds since 1970.
std::string status_text(const ContainerInfo& info, std::int64_t now);

/// What `ps` cuts unless --no-trunc is given.
struct ShownNames {
    std::string id, image;
    bool whole = false;  // the command
};
/// One container as docker's `ps --format json`, without a line break.
std::string ps_json(const ContainerInfo& info,
                    const ShownNames& shown,
                    std::int64_t now,
                    const ContainerDetails& details = {});

}  // namespace knarr::cli
