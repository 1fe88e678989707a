#include "cli/image_filter.h"

#include <algorithm>
#include <array>

#include <fnmatch.h>

#include "cli/duration.h"
#include "cli/image_verbs.h"
#include "cli/key_value.h"
#include "cli/moment.h"
#include "core/text.h"
#include "image/reference.h"

namespace knarr::cli {

namespace {

/// A name that no person gave: the image's digest.
bool is_nameless(const std::string& reference) {
    return reference.starts_with("sha256:");
}

/// Docker's: "true", "1" and their like.
std::optional<bool> parse_truth(std::string_view text) {
    for (const auto& [word, truth] : {std::pair("true", true),
                                      std::pair("1", true),
                                      std::pair("false", false),
                                      std::pair("0", false)}) {
        if (text == word) {
            return truth;
        }
    }
    return std::nullopt;
}

constexpr std::size_t kLeastDigits = 2;

/// The image that before or since names: by a name, or by the beginning of its ID.
const ImageSummary* find_named(const std::vector<ImageSummary>& all, const std::string& text) {
    const auto named = std::ranges::find_if(all, [&](const ImageSummary& image) {
        return std::ranges::any_of(image.references, [&](const std::string& reference) {
            const auto parsed = image::Reference::parse(text);
            return reference == text || (parsed && parsed->text() == reference) ||
                   is_name_of(text, reference);
        });
    });
    if (named != all.end()) {
        return &*named;
    }
    const std::string digits = text.starts_with("sha256:") ? text : "sha256:" + text;
    const auto by_id = std::ranges::find_if(all, [&](const ImageSummary& image) {
        return text.size() >= kLeastDigits && image.id.starts_with(digits);
    });
    return by_id == all.end() ? nullptr : &*by_id;
}

std::unexpected<Error> unknown(std::string_view text) {
    return fail(
        Error{.code = Errc::invalid_argument,
              .message = fmt::format("--filter \"{}\" is not known", printable(text)),
              .hint = "reference=PATTERN, label=KEY[=VALUE], dangling=true|false, before=IMAGE, "
                      "since=IMAGE and until=TIME are"});
}

}  // namespace

bool is_name_of(std::string_view pattern, const std::string& reference) {
    const auto parsed = image::Reference::parse(reference);
    if (!parsed || is_nameless(reference)) {
        return false;
    }
    const std::string wanted(pattern);
    const std::string local = "localhost/";
    std::vector<std::string> names{
        parsed->text(), parsed->familiar(), parsed->name(), parsed->familiar_name()};
    if (parsed->familiar().starts_with(local)) {  // what was loaded or built here
        names.push_back(parsed->familiar().substr(local.size()));
        names.push_back(parsed->familiar_name().substr(local.size()));
    }
    return std::ranges::any_of(names, [&](const std::string& name) {
        return fnmatch(wanted.c_str(), name.c_str(), FNM_PATHNAME | FNM_NOESCAPE) == 0;
    });
}

Result<ImageFilter> ImageFilter::parse(std::string_view name,
                                       const std::vector<std::string_view>& texts,
                                       std::int64_t now) {
    ImageFilter filter;
    filter.name_ = name;
    for (const std::string_view text : texts) {
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos || equals + 1 == text.size()) {
            return unknown(text);
        }
        const std::string_view key = text.substr(0, equals);
        const std::string_view value = text.substr(equals + 1);
        if (key == "reference") {
            filter.patterns_.emplace_back(value);
        } else if (key == "before") {
            filter.before_.emplace_back(value);
        } else if (key == "since" || key == "after") {
            filter.since_.emplace_back(value);
        } else if (key == "label") {
            filter.labels_.emplace_back(value);
        } else if (key == "dangling" && parse_truth(value)) {
            filter.dangling_ = parse_truth(value);
        } else if (key == "until") {
            const auto age = KNARR_TRY(parse_duration(value, "--filter until"));
            filter.made_until_ = now - std::chrono::floor<std::chrono::seconds>(age).count();
        } else {
            return unknown(text);
        }
    }
    return filter;
}

Result<ImageFilter::Bounds> ImageFilter::bounds(const std::vector<ImageSummary>& all) const {
    Bounds out;
    const auto time_of = [&](std::string_view key,
                             const std::string& text) -> Result<std::int64_t> {
        const ImageSummary* image = find_named(all, text);
        if (image == nullptr) {
            return fail(
                Error{.code = Errc::image_not_found,
                      .message = fmt::format("--filter {}={}: no such image", key, printable(text)),
                      .hint = "knarr images lists what is stored"});
        }
        return seconds_of(image->created).value_or(0);
    };
    for (const std::string& text : before_) {
        const std::int64_t time = KNARR_TRY(time_of("before", text));
        out.before = std::max(out.before.value_or(time), time);
    }
    for (const std::string& text : since_) {
        const std::int64_t time = KNARR_TRY(time_of("since", text));
        out.after = std::min(out.after.value_or(time), time);
    }
    return out;
}

bool ImageFilter::fits(const ImageSummary& image, const Bounds& bounds) const {
    const std::int64_t made = seconds_of(image.created).value_or(0);
    const bool nameless = std::ranges::all_of(image.references, is_nameless);
    const bool in_time = (!bounds.before || made < *bounds.before) &&
                         (!bounds.after || made > *bounds.after) &&
                         (!made_until_ || made <= *made_until_);
    return in_time && (!dangling_ || *dangling_ == nameless) &&
           std::ranges::all_of(
               labels_, [&](const std::string& label) { return has_label(image.labels, label); });
}

Result<std::vector<ImageSummary>> ImageFilter::chosen(const std::vector<ImageSummary>& all) const {
    const Bounds limits = KNARR_TRY(bounds(all));
    std::vector<ImageSummary> out;
    for (const ImageSummary& one : all) {
        if (!fits(one, limits)) {
            continue;
        }
        ImageSummary image = one;
        const auto other = [&](const std::string& reference) {
            const bool wanted = patterns_.empty() ||
                                std::ranges::any_of(patterns_, [&](const std::string& pattern) {
                                    return is_name_of(pattern, reference);
                                });
            return !wanted || (!name_.empty() && !is_name_of(name_, reference));
        };
        std::erase_if(image.references, other);
        if (image.references.size() != one.references.size()) {
            std::erase_if(image.repo_tags, other);
        }
        if (!image.references.empty() || (patterns_.empty() && name_.empty())) {
            out.push_back(std::move(image));
        }
    }
    return out;
}

}  // namespace knarr::cli
