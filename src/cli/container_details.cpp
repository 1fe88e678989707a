#include "cli/container_details.h"

#include <fmt/format.h>

#include "cli/table.h"
#include "core/limits.h"
#include "spec/json_reader.h"

namespace knarr::cli {

std::string ContainerDetails::size_text() const {
    if (!written_bytes) {
        return {};
    }
    const std::string written = decimal_size(*written_bytes);
    return root_bytes ? fmt::format("{} (virtual {})", written, decimal_size(*root_bytes))
                      : written;
}

Result<ContainerDetails> read_details(std::string_view inspected) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(inspected, {.name = "container"}));
    const spec::JsonValue root = document.root();
    ContainerDetails out;
    KNARR_TRY(root.optional("Image", out.image_id));
    if (const auto mounts = root.find("Mounts")) {
        for (const auto& [unnamed, mount] : mounts->children()) {
            std::string name;
            KNARR_TRY(mount.optional("Name", name));
            out.volumes += name.empty() ? 0 : 1;
            if (name.empty()) {
                KNARR_TRY(mount.optional("Source", name));
            }
            if (!name.empty()) {  // a tmpfs has none
                out.sources.push_back(std::move(name));
            }
            KNARR_TRY(mount.optional("Destination", out.targets.emplace_back()));
        }
    }
    if (const auto host = root.find("HostConfig")) {
        KNARR_TRY(host->optional("NetworkMode", out.network));
    }
    const auto config = root.find("Config");
    if (const auto ports = config ? config->find("ExposedPorts") : std::nullopt) {
        for (const auto& [port, nothing] : ports->children()) {
            out.exposed.emplace_back(port);
        }
    }
    KNARR_TRY(root.optional("SizeRw", out.written_bytes));
    KNARR_TRY(root.optional("SizeRootFs", out.root_bytes));
    return out;
}

}  // namespace knarr::cli
