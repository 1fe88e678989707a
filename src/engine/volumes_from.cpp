#include "engine/volumes_from.h"

#include <algorithm>

#include "bundle/read.h"
#include "core/text.h"
#include "engine/container_volumes.h"
#include "engine/live.h"
#include "engine/resolve.h"
#include "engine/volumes.h"

namespace knarr::engine {

namespace {

enum class Access : std::uint8_t { as_there, read_only };

bool is_taken(const RunRequest& request, const std::string& target) {
    const auto is_there = [&](const auto& one) { return one.target == target; };
    return std::ranges::any_of(request.volumes, is_there) ||
           std::ranges::any_of(request.settings.tmpfs, is_there);
}

VolumeRequest volume_of(const std::string& data_root, const spec::Mount& mount, Access access) {
    VolumeRequest volume;
    const std::string name = volume_shown_by(data_root, mount.source);
    volume.kind = name.empty() ? VolumeKind::bind : VolumeKind::volume;
    volume.source = name.empty() ? mount.source : name;
    volume.target = mount.destination;
    volume.read_only = access == Access::read_only || !is_writable(mount);
    volume.no_copy = true;  // it has what it has, as with docker
    volume.recursive = !has_option(mount, "bind");
    for (const std::string_view flag : {"nosuid", "nodev", "noexec"}) {
        if (has_option(mount, flag)) {
            volume.flags.emplace_back(flag);
        }
    }
    return volume;
}

Result<> add_of(const Context& context,
                const std::string& data_root,
                const ContainerId& id,
                Access access,
                RunRequest& request) {
    const Record record = KNARR_TRY(look_at(context, id)).record;
    if (record.data_dir.empty()) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} was made from a bundle: it has no "
                                                 "volumes of knarr's",
                                                 id.text()),
                          .hint = "name its directories with --volume"});
    }
    const bundle::Bundle bundle = KNARR_TRY(bundle::read_bundle(record.data_dir));
    for (const spec::Mount& mount : bundle.config.mounts) {
        // An anonymous one is only asked to be there: the other container's is.
        std::erase_if(request.volumes, [&](const VolumeRequest& one) {
            return one.kind == VolumeKind::volume && one.source.empty() &&
                   one.target == mount.destination && is_asked_for(mount, record.data_dir);
        });
        if (is_asked_for(mount, record.data_dir) && !is_taken(request, mount.destination)) {
            request.volumes.push_back(volume_of(data_root, mount, access));
        }
    }
    return {};
}

}  // namespace

Result<> add_volumes_from(const Context& context,
                          const std::string& data_root,
                          RunRequest& request) {
    for (const std::string& wish : request.volumes_from) {
        const std::size_t colon = wish.find(':');
        const std::string_view mode =
            colon == std::string::npos ? "" : std::string_view(wish).substr(colon + 1);
        if (colon != std::string::npos && mode != "ro" && mode != "rw") {
            return fail(Errc::invalid_argument,
                        "--volumes-from \"{}\": the mode is neither ro nor rw",
                        printable(wish));
        }
        const ContainerId id = KNARR_TRY(
            resolve_id(context, std::string_view(wish).substr(0, colon)), "--volumes-from");
        const Access access = mode == "ro" ? Access::read_only : Access::as_there;
        KNARR_TRY(add_of(context, data_root, id, access, request), "--volumes-from");
    }
    return {};
}

}  // namespace knarr::engine
