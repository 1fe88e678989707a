#include "engine/resolve.h"

#include <algorithm>

#include "engine/names.h"
#include "engine/operate.h"

namespace knarr::engine {

namespace {

/// Digits of an ID that the host name of its container is: the last ones.
constexpr std::size_t kHostNameDigits = 12;

bool is_host_name(std::string_view text) {
    return text.size() == kHostNameDigits &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The only container of `all` that is so called, empty where there is none.
/// Errors: invalid_argument for several.
template <typename Fits>
Result<std::string> only_one(const std::vector<ContainerInfo>& all,
                             std::string_view text,
                             const Fits& fits) {
    std::string found;
    for (const ContainerInfo& one : all) {
        if (one.image.empty() || !fits(one.id)) {
            continue;
        }
        if (!found.empty()) {
            return fail(
                Errc::invalid_argument, "{} fits the containers {} and {}", text, found, one.id);
        }
        found = one.id;
    }
    return found;
}

}  // namespace

namespace {

Result<ContainerId> find_id(const Context& context, std::string_view text) {
    ContainerId id = KNARR_TRY(ContainerId::parse(text));
    if (context.root.open_dir(id)) {
        return id;
    }
    if (auto named = KNARR_TRY(find_name(context, text))) {
        return std::move(*named);
    }
    const std::vector<ContainerInfo> all = KNARR_TRY(list_containers(context));
    std::string found;
    if (text.size() >= kMinPrefix) {
        found = KNARR_TRY(
            only_one(all, text, [&](std::string_view one) { return one.starts_with(text); }));
    }
    if (found.empty() && is_host_name(text)) {
        found = KNARR_TRY(
            only_one(all, text, [&](std::string_view one) { return one.ends_with(text); }));
    }
    return found.empty() ? Result<ContainerId>(std::move(id)) : ContainerId::parse(found);
}

}  // namespace

Result<ContainerId> resolve_id(const Context& context, std::string_view text) {
    text = without_slash(text);
    tell_about(context, text);
    Result<ContainerId> id = find_id(context, text);
    if (id) {
        tell_about(context, id->text());
    }
    return id;
}

}  // namespace knarr::engine
