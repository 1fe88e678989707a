#include "cli/network.h"

#include <algorithm>
#include <array>

#include "cli/container_details.h"
#include "cli/moment.h"
#include "core/text.h"
#include "engine/inspect.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::string_view kScope = "local";
constexpr std::array kNetworks{
    Network{.name = "host", .driver = "host", .id = engine::kHostNetworkId},
    Network{.name = "none", .driver = "null", .id = engine::kNoNetworkId}};
constexpr std::array<std::string_view, 7> kKeys{
    "name", "id", "driver", "scope", "type", "dangling", "label"};
constexpr std::size_t kShortId = 12, kLeastDigits = 2;

bool fits_one(const Network& network, std::string_view key, const std::string& value) {
    if (key == "name") {
        return network.name.find(value) != std::string_view::npos;
    }
    if (key == "id") {
        return network.id.find(value) != std::string_view::npos;
    }
    if (key == "driver") {
        return network.driver == value;
    }
    if (key == "scope") {
        return value == kScope;
    }
    if (key == "type") {
        return value == "builtin";
    }
    // docker's are in use always, and have no labels.
    return key == "dangling" && (value == "false" || value == "0");
}

bool is_in(const Engine& engine, const ContainerInfo& info, const Network& network) {
    const bool runs = info.state == ContainerState::running || info.state == ContainerState::paused;
    const auto inspected =
        runs && info.damage.empty() ? engine.inspect(info.id) : fail(Errc::not_found, "not asked");
    const auto details = inspected ? read_details(*inspected) : fail(inspected.error());
    return details && details->network == network.name;
}

}  // namespace

std::span<const Network> all_networks() {
    return kNetworks;
}

Result<Network> find_network(std::string_view text) {
    const auto* const at = std::ranges::find_if(kNetworks, [&](const Network& one) {
        return one.name == text || (text.size() >= kLeastDigits && one.id.starts_with(text));
    });
    if (at == kNetworks.end()) {
        return fail(Error{.code = Errc::not_found,
                          .message = fmt::format("network {} not found", printable(text)),
                          .hint = "there are host and none; networks between containers are not "
                                  "built"});
    }
    return *at;
}

Error no_networks(std::string_view what) {
    return Error{.code = Errc::unsupported,
                 .message = fmt::format("{} is not built yet: there are no networks but the host's "
                                        "and none",
                                        what),
                 .hint =
                     "run --network host: containers reach each other at localhost; --network "
                     "none: loopback alone"};
}

Result<NetworkFilter> NetworkFilter::parse(const std::vector<std::string_view>& texts) {
    NetworkFilter filter;
    for (const std::string_view text : texts) {
        const std::size_t equals = text.find('=');
        const std::string_view key = text.substr(0, equals);
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view() : text.substr(equals + 1);
        const bool is_truth = value == "true" || value == "false" || value == "1" || value == "0";
        const bool is_type = value == "builtin" || value == "custom";
        if (std::ranges::find(kKeys, key) == kKeys.end() || value.empty() ||
            (key == "dangling" && !is_truth) || (key == "type" && !is_type)) {
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--filter \"{}\" is not known", printable(text)),
                      .hint = "name=PART, id=PART, driver=NAME, scope=local, type=builtin|custom, "
                              "dangling=BOOL and label=KEY are"});
        }
        filter.wishes_.push_back({.key = std::string(key), .value = std::string(value)});
    }
    return filter;
}

bool NetworkFilter::fits(const Network& network) const {
    return fits_each_key(wishes_, [&](std::string_view key, const std::string& value) {
        return fits_one(network, key, value);
    });
}

std::string network_row(const Network& network, bool whole_id) {
    spec::JsonWriter json;
    json.begin_object().member("CreatedAt", go_time(std::nullopt));
    json.member("Driver", network.driver);
    json.member("ID", whole_id ? network.id : network.id.substr(0, kShortId));
    json.member("IPv6", "false").member("Internal", "false").member("Labels", "");
    json.member("Name", network.name).member("Scope", kScope).end_object();
    return std::move(json).text();
}

Result<std::string> network_json(const Engine& engine, const Network& network) {
    spec::JsonWriter json;
    json.begin_object().member("Name", network.name).member("Id", network.id);
    json.member("Created", "0001-01-01T00:00:00Z").member("Scope", kScope);
    json.member("Driver", network.driver).member("EnableIPv6", false);
    json.key("IPAM").begin_object().member("Driver", "default").key("Options").null();
    json.key("Config").begin_array().end_array().end_object();
    json.member("Internal", false).member("Attachable", false).member("Ingress", false);
    json.key("ConfigFrom").begin_object().member("Network", "").end_object();
    json.member("ConfigOnly", false).key("Containers").begin_object();
    for (const ContainerInfo& info : KNARR_TRY(engine.list())) {
        if (!is_in(engine, info, network)) {
            continue;
        }
        json.key(info.id).begin_object();
        json.member("Name", info.name).member("EndpointID", "").member("MacAddress", "");
        json.member("IPv4Address", "").member("IPv6Address", "").end_object();
    }
    json.end_object().key("Options").begin_object().end_object();
    json.key("Labels").begin_object().end_object().end_object();
    return std::move(json).text();
}

}  // namespace knarr::cli
