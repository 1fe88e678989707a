#include "cli/container_filter.h"

#include <algorithm>
#include <array>

#include "cli/duration.h"
#include "cli/expression.h"
#include "cli/image_name.h"
#include "cli/key_value.h"
#include "cli/moment.h"
#include "cli/ports.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array<std::string_view, 4> kHealths{"none", "starting", "healthy", "unhealthy"};
constexpr std::array<std::string_view, 7> kStates{
    "created", "running", "paused", "exited", "dead", "restarting", "removing"};
constexpr std::size_t kLeastDigits = 2;

bool is_key(std::string_view text) {
    return std::ranges::any_of(split(kContainerFilterKeys, ','),
                               [&](std::string_view key) { return text == trimmed(key); });
}

Result<> check(std::string_view key, const std::string& value, std::string_view text) {
    const auto bad = [&](std::string_view wanted) {
        return fail(Errc::invalid_argument,
                    "--filter \"{}\": {} is not {}",
                    printable(text),
                    printable(value),
                    wanted);
    };
    if ((key == "id" || key == "name") && !is_expression(value)) {
        return bad("a regular expression");
    }
    if (key == "publish" || key == "expose") {
        KNARR_TRY(parse_ports(value, fmt::format("--filter {}", key)));
    }
    if (key == "status" && std::ranges::find(kStates, value) == kStates.end()) {
        return bad(fmt::format("one of {}", fmt::join(kStates, ", ")));
    }
    if (key == "health" && std::ranges::find(kHealths, value) == kHealths.end()) {
        return bad(fmt::format("one of {}", fmt::join(kHealths, ", ")));
    }
    if (key == "exited" && !parse_number(value, 255)) {
        return bad("an exit code from 0 to 255");
    }
    if (key == "until") {
        KNARR_TRY(parse_duration(value, "--filter until"));
    }
    if (key == "restart-policy" && !parse_restart_policy(value)) {
        return bad("one of no, on-failure, always, unless-stopped");
    }
    if (key == "is-task" && value != "true" && value != "false") {
        return bad("true or false");
    }
    return {};
}

/// What only a digest or the beginning of one can be, or of which nobody knows.
bool may_be_id(std::string_view text) {
    constexpr std::string_view kAlgorithm = "sha256:";
    text.remove_prefix(text.starts_with(kAlgorithm) ? kAlgorithm.size() : 0);
    return text.size() >= kLeastDigits &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// `details` know the image's ID.
bool is_made_from(const ContainerInfo& info,
                  const std::string& called,
                  const ContainerDetails* details) {
    const std::size_t colon = called.find(':');
    const bool by_id = may_be_id(called) && details != nullptr && !details->image_id.empty() &&
                       details->image_id.substr(details->image_id.find(':') + 1)
                           .starts_with(called.substr(colon == std::string::npos ? 0 : colon + 1));
    return by_id || names_image(info.image, called) || names_image(info.image_name, called);
}

const ContainerInfo* find(const std::vector<ContainerInfo>& all, const std::string& called) {
    const auto at = std::ranges::find_if(all, [&](const ContainerInfo& one) {
        return one.id == called || one.name == called ||
               (called.size() >= 2 && one.id.starts_with(called));
    });
    return at == all.end() ? nullptr : &*at;
}

}  // namespace

std::string_view docker_state(const ContainerInfo& info) {
    if (!info.damage.empty()) {
        return "dead";
    }
    return info.restarting                          ? "restarting"
           : info.state == ContainerState::stopped  ? "exited"
           : info.state == ContainerState::creating ? "created"
                                                    : name_of(info.state);
}

Result<ContainerFilter> ContainerFilter::parse(const std::vector<std::string_view>& texts,
                                               std::int64_t now) {
    ContainerFilter filter;
    filter.now_ = now;
    for (const std::string_view text : texts) {
        const std::size_t equals = text.find('=');
        const std::string_view key = text.substr(0, equals);
        if (equals == std::string_view::npos || !is_key(key)) {
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--filter \"{}\" is not known", printable(text)),
                      .hint = fmt::format("KEY=VALUE with one of {}", kContainerFilterKeys)});
        }
        std::string value(text.substr(equals + 1));
        KNARR_TRY(check(key, value, text));
        filter.values_[std::string(key)].push_back(std::move(value));
    }
    return filter;
}

bool ContainerFilter::fits_one(std::string_view key,
                               const std::string& value,
                               const ContainerInfo& info,
                               const std::vector<ContainerInfo>& all,
                               const ContainerDetails* details) const {
    if (key == "volume") {
        return details != nullptr &&
               (std::ranges::find(details->sources, value) != details->sources.end() ||
                std::ranges::find(details->targets, value) != details->targets.end());
    }
    if (key == "network") {
        return details != nullptr && details->network == value;
    }
    if (key == "is-task") {
        return value == "false";  // there is no swarm
    }
    if (key == "isolation") {
        return value == "default" || value.empty() || value == name_of(info.isolation);
    }
    if (key == "restart-policy") {
        return name_of(info.restart.mode) == value;
    }
    if (key == "publish") {
        return false;  // nothing is published: there is no network to do it on
    }
    if (key == "expose") {
        const auto ports = parse_ports(value, "--filter expose");
        return details != nullptr && ports &&
               std::ranges::any_of(*ports, [&](const std::string& port) {
                   return std::ranges::find(details->exposed, port) != details->exposed.end();
               });
    }
    if (key == "id") {
        return matches_somewhere(value, info.id);
    }
    if (key == "name") {
        return matches_somewhere(value, info.name) || matches_somewhere(value, "/" + info.name);
    }
    if (key == "label" || key == "label!") {
        return has_label(info.labels, value) == (key == "label");
    }
    if (key == "status") {
        return docker_state(info) == value;
    }
    if (key == "health") {
        return (info.health ? name_of(info.health->status) : kHealths.front()) == value;
    }
    if (key == "exited") {
        return info.state == ContainerState::stopped && info.exit_code &&
               std::to_string(*info.exit_code) == value;
    }
    if (key == "ancestor") {
        return is_made_from(info, value, details);
    }
    if (key == "until") {
        const auto age = parse_duration(value, "until");
        const auto created = seconds_of(info.created);
        return age && created &&
               *created <= now_ - std::chrono::floor<std::chrono::seconds>(*age).count();
    }
    const ContainerInfo* other = find(all, value);
    return other != nullptr &&
           (key == "before" ? info.created < other->created : info.created > other->created);
}

Result<> ContainerFilter::check_names(const std::vector<ContainerInfo>& all) const {
    for (const std::string_view key : {"before", "since"}) {
        const auto values = values_.find(key);
        for (const std::string& value :
             values == values_.end() ? std::vector<std::string>() : values->second) {
            if (find(all, value) == nullptr) {
                return fail(
                    Errc::not_found, "--filter {}={}: no such container", key, printable(value));
            }
        }
    }
    return {};
}

bool ContainerFilter::asks_for_image_ids() const {
    const auto values = values_.find("ancestor");
    return values != values_.end() && std::ranges::any_of(values->second, may_be_id);
}

bool ContainerFilter::may_fit(const ContainerInfo& info,
                              const std::vector<ContainerInfo>& all) const {
    ContainerFilter cheap = *this;
    cheap.values_.erase("volume");
    cheap.values_.erase("network");
    cheap.values_.erase("expose");
    if (asks_for_image_ids()) {
        cheap.values_.erase("ancestor");
    }
    return cheap.fits(info, all);
}

bool ContainerFilter::fits(const ContainerInfo& info,
                           const std::vector<ContainerInfo>& all,
                           const ContainerDetails* details) const {
    return std::ranges::all_of(values_, [&](const auto& one) {
        const auto fits_value = [&](const std::string& value) {
            return fits_one(one.first, value, info, all, details);
        };
        return one.first.starts_with("label") ? std::ranges::all_of(one.second, fits_value)
                                              : std::ranges::any_of(one.second, fits_value);
    });
}

}  // namespace knarr::cli
