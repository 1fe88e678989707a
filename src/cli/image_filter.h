#pragma once
// NAME and --filter of `images`, by docker's rules.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/image.h"
#include "knarr/result.h"

namespace knarr::cli {

class ImageFilter {
public:
    /// `name`: NAME[:TAG] behind the verb; empty: none. Errors: invalid_argument for a filter that
    /// is not known.
    static Result<ImageFilter> parse(std::string_view name,
                                     const std::vector<std::string_view>& texts,
                                     std::int64_t now);

    /// Those of `all` that fit, with those of their names that do. Filters of one kind are
    /// alternatives, but for labels, and all kinds must fit. Errors: image_not_found for one that
    /// before or since names.
    Result<std::vector<ImageSummary>> chosen(const std::vector<ImageSummary>& all) const;

private:
    struct Bounds {
        std::optional<std::int64_t> before, after;  // seconds since 1970, both left out
    };
    Result<Bounds> bounds(const std::vector<ImageSummary>& all) const;
    bool fits(const ImageSummary& image, const Bounds& bounds) const;

    std::vector<std::string> patterns_;  // of `reference`; one of them
    std::string name_;                   // besides
    std::optional<bool> dangling_;
    std::vector<std::string> labels_;
    std::vector<std::string> before_, since_;  // images
    std::optional<std::int64_t> made_until_;
};

/// Whether `pattern` (a glob whose * stands for no slash) is a name that the stored reference has:
/// whole or as docker shows it, with its tag or without.
bool is_name_of(std::string_view pattern, const std::string& reference);

}  // namespace knarr::cli
