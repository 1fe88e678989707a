#include "cli/image_name.h"

#include "image/reference.h"
#include "spec/image.h"

namespace knarr::cli {

namespace {

constexpr std::size_t kShortId = 12, kIdDigits = 64;
constexpr std::string_view kAlgorithm = "sha256:";

bool is_whole_id(std::string_view text) {
    if (!text.starts_with(kAlgorithm)) {
        return text.size() == kIdDigits && is_whole_id(std::string(kAlgorithm) + std::string(text));
    }
    return spec::Digest::parse(text).has_value();
}

std::string_view without_digest(std::string_view name) {
    return name.substr(0, name.find('@'));
}

/// A colon before the last slash is a port's.
bool has_tag(std::string_view name) {
    const std::string_view rest = without_digest(name);
    return rest.substr(rest.rfind('/') + 1).find(':') != std::string_view::npos;
}

}  // namespace

std::string shown_image(const ContainerInfo& info, bool whole) {
    std::string_view name = info.image_name;
    if (whole || name.empty()) {
        return std::string(name);
    }
    if (is_whole_id(name)) {
        return std::string(
            name.substr(name.starts_with(kAlgorithm) ? kAlgorithm.size() : 0, kShortId));
    }
    const auto reference = image::Reference::parse(without_digest(name));
    if (!reference) {
        return std::string(name);
    }
    return has_tag(name) ? reference->familiar() : reference->familiar_name();
}

bool names_image(std::string_view name, std::string_view called) {
    if (name == called) {
        return !name.empty();
    }
    const auto known = image::Reference::parse(name);
    const auto wanted = image::Reference::parse(called);
    if (!known || !wanted || known->name() != wanted->name()) {
        return false;
    }
    if (wanted->digest()) {
        return known->digest() == wanted->digest();
    }
    return !has_tag(called) || known->tag() == wanted->tag();
}

}  // namespace knarr::cli
