#pragma once
// docker's --filter of `ps` and `container prune`. Pure.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/container_details.h"
#include "knarr/container.h"
#include "knarr/result.h"

namespace knarr::cli {

/// The help of `ps`, and in it the one list of the keys that there are.
inline constexpr std::string_view kContainerFilterHelp =
    "without ID: only those; id, name, label, label!, status, health, exited, ancestor, before, "
    "since, "
    "until, volume, network, publish, expose, is-task, isolation, restart-policy";
inline constexpr std::string_view kContainerFilterKeys =
    kContainerFilterHelp.substr(kContainerFilterHelp.find("; ") + 2);

class ContainerFilter {
public:
    /// "KEY=VALUE" each: id, name (extended regular expressions, somewhere in them), label and
    /// label! (KEY or KEY=VALUE), status, health, exited, ancestor, before, since, until (seconds
    /// before `now`, as "24h"), restart-policy, volume (name, or a path on the host or in it),
    /// network, publish, expose (PORT[/PROTOCOL]). Errors: invalid_argument naming the filter.
    static Result<ContainerFilter> parse(const std::vector<std::string_view>& texts,
                                         std::int64_t now);

    /// Whether before and since name containers that are there. Errors: not_found naming one.
    Result<> check_names(const std::vector<ContainerInfo>& all) const;
    /// Of one key one value must fit, of label all; and every key. `all` are the containers that
    /// before and since may mean.
    /// Without `details` volume and network fit nothing.
    bool fits(const ContainerInfo& info,
              const std::vector<ContainerInfo>& all,
              const ContainerDetails* details = nullptr) const;
    /// The same without volume and network, of which the answer has to be asked for. Pure.
    bool may_fit(const ContainerInfo& info, const std::vector<ContainerInfo>& all) const;
    bool asks_for_details() const {
        return values_.contains("volume") || values_.contains("network") ||
               values_.contains("expose") || asks_for_image_ids();
    }
    /// Whether an ancestor may be an ID, which only the details know.
    bool asks_for_image_ids() const;
    /// Whether containers that do not run are meant as well.
    bool asks_for_stopped() const {
        return values_.contains("status") || values_.contains("exited");
    }

private:
    bool fits_one(std::string_view key,
                  const std::string& value,
                  const ContainerInfo& info,
                  const std::vector<ContainerInfo>& all,
                  const ContainerDetails* details) const;

    std::map<std::string, std::vector<std::string>, std::less<>> values_;
    std::int64_t now_ = 0;
};

/// docker's word for a state: "created", "running", "paused", "restarting", "exited", "dead".
std::string_view docker_state(const ContainerInfo& info);

}  // namespace knarr::cli
