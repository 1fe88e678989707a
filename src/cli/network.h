#pragma once
// The two networks that there are, as docker shows them: the host's, and none.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/key_value.h"
#include "knarr/container.h"
#include "knarr/engine.h"
#include "knarr/result.h"

namespace knarr::cli {

struct Network {
    std::string_view name, driver, id;  ///< "none", "null", 64 digits that are always the same
};

/// In the order of their names.
std::span<const Network> all_networks();

/// Errors: not_found.
Result<Network> find_network(std::string_view text);

/// What is not here, said where somebody would make or change a network. `what`: "network create".
Error no_networks(std::string_view what);

/// docker's --filter of `network ls`. Pure.
class NetworkFilter {
public:
    /// "KEY=VALUE" each: name, id (parts of them), driver, scope, type (builtin, custom), dangling,
    /// label. Errors: invalid_argument.
    static Result<NetworkFilter> parse(const std::vector<std::string_view>& texts);
    /// Of one key one value must fit, and every key.
    bool fits(const Network& network) const;

private:
    std::vector<KeyValue> wishes_;
};

/// A line of `network ls --format json`.
std::string network_row(const Network& network, bool whole_id);

/// What `network inspect` prints: with the containers that are in it and run.
Result<std::string> network_json(const Engine& engine, const Network& network);

}  // namespace knarr::cli
