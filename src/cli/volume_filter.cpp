#include "cli/volume_filter.h"

#include <algorithm>
#include <map>

#include <fmt/ranges.h>

#include "cli/expression.h"
#include "cli/key_value.h"
#include "cli/table.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

using engine::VolumeInfo;

std::map<std::string, std::string> shown_labels(const VolumeInfo& volume) {
    // docker's mark of a volume without a name of a person's.
    constexpr const char* kAnonymousLabel = "com.docker.volume.anonymous";
    auto labels = volume.labels;
    if (volume.anonymous) {
        labels.try_emplace(kAnonymousLabel);
    }
    return labels;
}

namespace {

using Kind = VolumeFilter::Kind;

bool fits(const VolumeInfo& volume, bool used, const VolumeFilter& filter) {
    switch (filter.kind) {
        case Kind::name:
            return matches_somewhere(filter.value, volume.name);
        case Kind::label:
            return has_label(shown_labels(volume), filter.value);
        case Kind::driver:
            return filter.value == "local";
        case Kind::dangling:
            return filter.dangling != used;
    }
    return false;
}

Result<VolumeFilter> parse_filter(std::string_view text) {
    const auto unknown = [&] {
        return fail(Error{
            .code = Errc::invalid_argument,
            .message = fmt::format("--filter \"{}\" is not known", printable(text)),
            .hint =
                "name=EXPRESSION, label=KEY[=VALUE], dangling=true|false and driver=local are"});
    };
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals + 1 == text.size()) {
        return unknown();
    }
    const std::string_view key = text.substr(0, equals);
    const std::string_view value = text.substr(equals + 1);
    VolumeFilter filter;
    filter.value = value;
    if (key == "label") {
        filter.kind = Kind::label;
    } else if (key == "name") {
        filter.kind = Kind::name;
        if (!is_expression(filter.value)) {
            return fail(Errc::invalid_argument,
                        "--filter \"{}\": {} is not a regular expression",
                        printable(text),
                        printable(value));
        }
    } else if (key == "driver") {
        filter.kind = Kind::driver;
    } else if (key == "dangling" && (value == "true" || value == "1")) {
        filter.kind = Kind::dangling;
        filter.dangling = true;
    } else if (key == "dangling" && (value == "false" || value == "0")) {
        filter.kind = Kind::dangling;
    } else {
        return unknown();
    }
    return filter;
}

}  // namespace

Result<std::vector<VolumeFilter>> parse_volume_filters(const std::vector<std::string_view>& texts) {
    std::vector<VolumeFilter> filters;
    filters.reserve(texts.size());
    for (const std::string_view text : texts) {
        filters.push_back(KNARR_TRY(parse_filter(text)));
    }
    return filters;
}

bool asks_for_users(const std::vector<VolumeFilter>& filters) {
    return std::ranges::any_of(
        filters, [](const VolumeFilter& filter) { return filter.kind == Kind::dangling; });
}

bool fits_all(const VolumeInfo& volume, bool used, const std::vector<VolumeFilter>& filters) {
    return std::ranges::all_of(filters, [&](const VolumeFilter& filter) {
        if (filter.kind == Kind::label) {
            return fits(volume, used, filter);
        }
        return std::ranges::any_of(filters, [&](const VolumeFilter& other) {
            return other.kind == filter.kind && fits(volume, used, other);
        });
    });
}

std::string volume_json(const VolumeInfo& volume) {
    const auto labels = shown_labels(volume);
    spec::JsonWriter json;
    json.begin_object().member("CreatedAt", volume.created).member("Driver", "local");
    if (labels.empty()) {
        json.key("Labels").null();
    } else {
        json.member("Labels", labels);
    }
    json.member("Mountpoint", volume.mountpoint).member("Name", volume.name);
    json.key("Options").null().member("Scope", "local").end_object();
    return std::move(json).text();
}

std::string volume_line_json(const VolumeInfo& volume, const VolumeUse& use) {
    spec::JsonWriter json;
    json.begin_object().member("Availability", "N/A").member("Driver", "local");
    json.member("Group", "N/A")
        .member("Labels", labels_text(shown_labels(volume)))
        .member("Links", use.links);
    json.member("Mountpoint", volume.mountpoint).member("Name", volume.name);
    json.member("Scope", "local").member("Size", use.size).member("Status", "N/A").end_object();
    return std::move(json).text();
}

}  // namespace knarr::cli
