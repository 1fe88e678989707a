#include "engine/run_image.h"

#include <array>
#include <cerrno>
#include <functional>
#include <optional>

#include <fcntl.h>

#include "bundle/make.h"
#include "core/fault.h"
#include "core/text.h"
#include "engine/background.h"
#include "engine/container_data.h"
#include "engine/container_volumes.h"
#include "engine/destroy.h"
#include "engine/image_mounts.h"
#include "engine/image_record.h"
#include "engine/journal.h"
#include "engine/kept_limits.h"
#include "engine/names.h"
#include "engine/new_container.h"
#include "engine/owner.h"
#include "engine/prepare_image.h"
#include "engine/volumes_from.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/standard_stream.h"
#include "platform/task.h"
#include "platform/user_namespace.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

/// Writes the ID where the request wants it; a file that is there is somebody else's.
Result<> write_id_file(const std::string& path, const std::string& id) {
    if (path.empty()) {
        return {};
    }
    auto file = sys::open_path(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!file && file.error().sys_errno == EEXIST) {
        return fail(
            Error{.code = Errc::invalid_argument,
                  .message = fmt::format("the ID's file {} is there already", printable(path)),
                  .hint = "another container may be running under it; remove the file, or "
                          "name another one"});
    }
    const sys::Fd opened = KNARR_TRY(std::move(file), "ID's file");
    return sys::write_all(opened, id);
}

/// What gives the program /dev/null for the streams that are not the caller's; empty where all are.
std::function<Result<>(const LockedDir&, runtime::LaunchIo&)> chosen_streams(
    const RunRequest& request) {
    const StandardStreams wanted = request.streams;
    if ((wanted.in && wanted.out && wanted.err) || request.terminal) {
        return {};
    }
    return [wanted](const LockedDir&, runtime::LaunchIo& io) -> Result<> {
        const std::array<bool, 3> ours{wanted.in, wanted.out, wanted.err};
        for (std::size_t i = 0; i < ours.size(); ++i) {
            if (!ours[i]) {
                io.stdio[i] = KNARR_TRY(sys::open_null(O_RDWR));
            }
        }
        return {};
    };
}

/// What the store is told that the container needs.
Result<ContainerUse> use_of(const Context& context, const Prepared& prepared) {
    const struct stat states = KNARR_TRY(sys::stat_of(context.root.fd()));
    ContainerUse use{.container = prepared.id,
                     .state_root = KNARR_TRY(sys::absolute(context.root.path())),
                     .state_root_device = states.st_dev,
                     .state_root_inode = states.st_ino,
                     .boot = boot_id(),
                     .reference = prepared.reference,
                     .image_id = prepared.image.id.text(),
                     .chain = prepared.image.chain,
                     .volumes = {}};
    for (const WantedVolume& volume : prepared.volumes) {
        use.volumes.push_back(volume.name);
    }
    return use;
}

/// Makes the name free; its volumes stay.
Result<> remove_bearer(const Context& context,
                       const std::string& data_root,
                       std::string_view name) {
    if (const auto bearer = KNARR_TRY(find_name(context, name))) {
        KNARR_TRY(remove_container(context, data_root, *bearer, RemoveMode::force));
        KNARR_TRY(fault_point("run_image.replaced"));
    }
    return {};
}

using Launch = std::function<Result<>(NewContainer)>;

/// An image's "/" may belong to another user than ours.
Result<> make_owned_data(const ContainerUse& use,
                         const bundle::Bundle& bundle,
                         const NameTexts& texts) {
    const auto& root = std::get<bundle::OverlayRoot>(bundle.rootfs);
    const sys::Fd highest = KNARR_TRY(sys::open_path(root.lowers.front(), O_PATH | O_DIRECTORY));
    const struct stat info = KNARR_TRY(sys::stat_of(highest));
    if (!is_ordinary_user() || (info.st_uid == sys::real_uid() && info.st_gid == sys::real_gid())) {
        return make_container_data(use, bundle, texts);
    }
    return do_as_owner([&] { return make_container_data(use, bundle, texts); });
}

Result<> make_owned_volumes(const std::string& data_root, const Prepared& prepared) {
    if (prepared.volumes.empty()) {
        return {};
    }
    return do_as_owner([&] {
        return make_volumes(
            data_root, prepared.volumes, [&] { return open_image_root(prepared.layers.lowers()); });
    });
}

/// From a request to what is to be launched, and `launch` it while nobody can take its image away.
Result<> launch_image(const Context& context,
                      const std::string& data_dir,
                      RunRequest request,
                      const Limits& limits,
                      const PullProgressFn& progress,
                      const Launch& launch) {
    KNARR_TRY(settle(context.cgroup_manager, request));
    const std::string data_root = KNARR_TRY(sys::absolute(data_dir));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    // So that nobody removes its image meanwhile; let go once its data directory names it.
    std::optional<store::Lease> lease = KNARR_TRY(store.lease());
    KNARR_TRY(add_volumes_from(context, data_root, request));
    if (request.log.journal) {
        KNARR_TRY(Journal::open(), "--log-driver journald");
    }
    const Prepared prepared =
        KNARR_TRY(prepare(store, *lease, data_root, request, limits, progress));
    tell_about(context, prepared.id);
    KNARR_TRY(check_online(prepared.made.bundle.config));
    NewContainer wanted = KNARR_TRY(new_container_of(prepared, request));
    if (!request.name.empty()) {
        if (request.replace) {
            KNARR_TRY(remove_bearer(context, data_root, request.name));
        }
        KNARR_TRY(check_name(context, request.name));  // before anything is written
    }
    for (const std::string& warning : prepared.made.warnings) {
        context.warn(warning);
    }
    const ContainerUse use = KNARR_TRY(use_of(context, prepared));
    const bundle::Bundle& bundle = prepared.made.bundle;
    wanted.make_data_dir = [&]() -> Result<> {
        {
            // Who looks for containers that need layers sees this one, or its lease.
            const sys::FileLock lock =
                KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::shared));
            KNARR_TRY(make_owned_data(use, bundle, prepared.texts));
            KNARR_TRY(fault_point("run_image.data"));
            lease.reset();
        }
        // From here on nobody removes the volumes that it names.
        return make_owned_volumes(data_root, prepared);
    };
    wanted.give_streams = chosen_streams(request);
    wanted.cancel_fd = request.cancel_fd;
    KNARR_TRY(write_id_file(request.id_file, prepared.id));
    Result<> launched = launch(std::move(wanted));
    if (!launched && !request.id_file.empty()) {
        static_cast<void>(sys::unlink_at(sys::Fd(), request.id_file));
    }
    return launched;
}

}  // namespace

Result<int> run_image(const Context& context,
                      const std::string& data_dir,
                      const RunRequest& request,
                      const Limits& limits,
                      const PullProgressFn& progress) {
    int code = 0;
    const Launch launch = [&](NewContainer wanted) -> Result<> {
        code = KNARR_TRY(run_container(context, std::move(wanted), RunMode::foreground));
        return {};
    };
    KNARR_TRY(launch_image(context, data_dir, request, limits, progress, launch));
    return code;
}

Result<std::string> run_image_in_background(const Context& context,
                                            const std::string& data_dir,
                                            const RunRequest& request,
                                            const Limits& limits,
                                            const PullProgressFn& progress,
                                            AttachedEnds attached) {
    std::string id;
    const Launch launch = [&](NewContainer wanted) -> Result<> {
        id = wanted.id.text();
        if (attached.before_launch) {
            KNARR_TRY(attached.before_launch());
        }
        wanted.attached = std::move(attached);
        wanted.life->monitored = true;
        wanted.life->cgroup_manager = context.cgroup_manager;
        wanted.life->rootless = context.rootless;
        return run_in_background(context, std::move(wanted));
    };
    KNARR_TRY(launch_image(context, data_dir, request, limits, progress, launch));
    return id;
}

Result<std::string> create_from_image(const Context& context,
                                      const std::string& data_dir,
                                      const RunRequest& request,
                                      const Limits& limits,
                                      const PullProgressFn& progress) {
    std::string id;
    const Launch launch = [&](NewContainer wanted) -> Result<> {
        id = wanted.id.text();
        wanted.life->monitored = true;  // once it runs
        wanted.life->cgroup_manager = context.cgroup_manager;
        wanted.life->rootless = context.rootless;
        return create_unstarted(context, std::move(wanted));
    };
    KNARR_TRY(launch_image(context, data_dir, request, limits, progress, launch));
    return id;
}

}  // namespace knarr::engine
