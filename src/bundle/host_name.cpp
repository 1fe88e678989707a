#include "bundle/host_name.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/core.h"
#include "core/text.h"

namespace knarr::bundle {

namespace {

bool is_allowed(char c) {
    return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

}  // namespace

Result<> check_host_name(std::string_view name, std::size_t max_bytes, std::string_view what) {
    const auto refuse = [&](std::string_view why) {
        return fail(Errc::invalid_argument, "{} \"{}\" {}", what, printable(name), why);
    };
    if (name.size() > max_bytes) {
        return refuse(fmt::format("has more than {} bytes", max_bytes));
    }
    if (!std::ranges::all_of(name, is_allowed)) {
        return refuse("is not made of letters, digits, \"-\", \"_\" and \".\" alone");
    }
    if (name.empty() || name.starts_with('-') || name.starts_with('.') || name.ends_with('.') ||
        name.find("..") != std::string_view::npos) {
        return refuse("does not begin with a letter or digit, or has an empty part between dots");
    }
    return {};
}

}  // namespace knarr::bundle
