#include "engine/resolve.h"

#include "engine/operate.h"

namespace knarr::engine {

Result<ContainerId> resolve_id(const Context& context, std::string_view text) {
    ContainerId id = KNARR_TRY(ContainerId::parse(text));
    if (context.root.open_dir(id)) {
        return id;
    }
    const std::vector<ContainerInfo> all = KNARR_TRY(list_containers(context));
    std::string found;
    for (const ContainerInfo& one : all) {
        if (one.name == text) {
            return ContainerId::parse(one.id);
        }
        if (text.size() >= kMinPrefix && !one.image.empty() && one.id.starts_with(text)) {
            if (!found.empty()) {
                return fail(Errc::invalid_argument,
                            "{} fits the containers {} and {}",
                            text,
                            found,
                            one.id);
            }
            found = one.id;
        }
    }
    return found.empty() ? Result<ContainerId>(std::move(id)) : ContainerId::parse(found);
}

}  // namespace knarr::engine
