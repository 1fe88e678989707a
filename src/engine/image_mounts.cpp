#include "engine/image_mounts.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>

#include "core/core.h"
#include "core/fault.h"
#include "engine/container_data.h"
#include "image/find.h"
#include "image/image_list.h"
#include "layer/snapshot.h"
#include "layer/stored.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/host_mount.h"
#include "platform/mount.h"
#include "runtime/launch/launch.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr const char* kUseFile = "use";
constexpr const char* kMerged = "merged";

std::string mounts_dir(const std::string& data_root) {
    return data_root + "/mounts";
}

std::string encode(const ImageMount& mount) {
    spec::JsonWriter json;
    json.begin_object().member("image", mount.seen.id).member("mounts", mount.seen.mounts);
    json.key("chain").begin_array();
    for (const spec::Digest& layer : mount.chain) {
        json.value(layer.text());
    }
    json.end_array().end_object();
    return std::move(json).text();
}

Result<ImageMount> decode(std::string_view text) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(text, {.name = kUseFile}));
    ImageMount mount;
    std::vector<std::string> chain;
    KNARR_TRY(document.root().required("image", mount.seen.id));
    KNARR_TRY(document.root().required("mounts", mount.seen.mounts));
    KNARR_TRY(document.root().required("chain", chain));
    for (const std::string& layer : chain) {
        mount.chain.push_back(KNARR_TRY(spec::Digest::parse(layer)));
    }
    return mount;
}

Result<> save(const sys::Fd& dir, const ImageMount& mount) {
    return sys::replace_file(dir, kUseFile, encode(mount), 0600, sys::Sync::file);
}

/// Forgets a mount that is not there any more, or never was.
Result<> forget(const sys::Fd& mounts, const std::string& name) {
    return sys::remove_tree_at(mounts, name);
}

Result<std::string> mount_new(const store::Store& store,
                              const sys::Fd& mounts,
                              const std::string& path,
                              const ImageMount& mount) {
    const std::string name = path.substr(path.rfind('/') + 1);
    KNARR_TRY(sys::make_dir_at(mounts, name, 0700), "{}", path);
    const auto fill = [&]() -> Result<> {
        const sys::Fd dir = KNARR_TRY(sys::open_at(mounts, name, O_RDONLY | O_DIRECTORY));
        // Until the mount is made: it keeps what it needs of them.
        const auto layers = KNARR_TRY(layer::MountedLayers::mount(store, mount.chain));
        const bundle::OverlayRoot root =
            KNARR_TRY(layer::make_root(layers.lowers(), path, layer::RootAccess::read_only));
        KNARR_TRY(save(dir, mount));
        KNARR_TRY(fault_point("image.mount"));
        const sys::Fd source = KNARR_TRY(open_image_root(root.lowers));
        const sys::Fd target = KNARR_TRY(sys::open_at(dir, kMerged, O_PATH | O_DIRECTORY));
        return sys::attach_mount(source, target);
    };
    Result<> filled = fill();
    if (!filled) {
        static_cast<void>(forget(mounts, name));
        return fail(std::move(filled).error());
    }
    return path + "/" + kMerged;
}

}  // namespace

Result<> refuse_ordinary_user(std::string_view what) {
    if (sys::effective_uid() == 0) {
        return {};
    }
    return fail(Error{
        .code = Errc::unsupported,
        .message = fmt::format("only root can {}, and this is user {}", what, sys::effective_uid()),
        .hint =
            "what another user mounts nobody else sees: knarr image rootfs NAME DIRECTORY makes "
            "a copy of an image's files, knarr cp and knarr export take them out of a "
            "container"});
}

Result<sys::Fd> open_image_root(const std::vector<std::string>& lowers) {
    // An overlay takes two layers at least.
    const bundle::RootFs what =
        lowers.size() == 1
            ? bundle::RootFs(bundle::DirRoot{.path = lowers.front()})
            : bundle::RootFs(bundle::OverlayRoot{
                  .lowers = lowers, .upper = {}, .work = {}, .merged = {}, .discard = false});
    sys::Fd mount = KNARR_TRY(runtime::open_root_source(what));
    // Devices and set-user-ID programs of an image are nothing to find on the host.
    constexpr std::uint64_t kHarmless = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    // A layer alone is mounted without execution, an overlay of several is not: both show the same.
    KNARR_TRY(sys::set_mount_attributes(
        mount, {.set = kHarmless, .clear = MOUNT_ATTR_NOEXEC, .recursive = true}));
    return mount;
}

Result<std::vector<ImageMount>> mounts_in_use(const std::string& data_root) {
    std::vector<ImageMount> all;
    const auto mounts = sys::open_path(mounts_dir(data_root), O_RDONLY | O_DIRECTORY);
    if (!mounts) {
        return mounts.error().sys_errno == ENOENT ? Result<std::vector<ImageMount>>(all)
                                                  : fail(mounts.error());
    }
    for (const std::string& name : KNARR_TRY(sys::list_dir(*mounts))) {
        const std::string path = fmt::format("{}/{}/{}", mounts_dir(data_root), name, kMerged);
        if (!KNARR_TRY(sys::is_mount_point(path))) {
            auto forgotten = forget(*mounts, name);
            if (!forgotten && forgotten.error().sys_errno == EROFS) {
                continue;  // a store that can only be read
            }
            KNARR_TRY(std::move(forgotten), "forget the mount of image {}", printable(name));
            KNARR_TRY(unmount_leftovers(data_root));
            continue;
        }
        const std::string text =
            KNARR_TRY(sys::read_file_at(*mounts, name + "/" + kUseFile, limits::kMaxStateBytes));
        ImageMount mount = KNARR_TRY(decode(text), "mounts/{}", printable(name));
        mount.seen.path = path;
        all.push_back(std::move(mount));
    }
    return all;
}

Result<std::string> mount_image(const std::string& data_root, std::string_view name) {
    KNARR_TRY(refuse_ordinary_user("mount images"));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const store::Lease lease = KNARR_TRY(store.lease());
    const image::Image image = KNARR_TRY(image::find_whole(store, lease, name));
    KNARR_TRY(image::check_files(image));
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    const sys::Fd mounts = KNARR_TRY(sys::make_dirs(mounts_dir(data_root), 0700));
    for (ImageMount& mount : KNARR_TRY(mounts_in_use(data_root))) {
        if (mount.seen.id == image.id.text()) {
            ++mount.seen.mounts;
            const sys::Fd dir = KNARR_TRY(
                sys::open_at(mounts, std::string(image.id.hex()), O_RDONLY | O_DIRECTORY));
            KNARR_TRY(save(dir, mount), "mount image {}", printable(name));
            return mount.seen.path;
        }
    }
    ImageMount mount{.seen = {.id = image.id.text(), .path = {}, .mounts = 1},
                     .chain = image.chain};
    const std::string path = fmt::format("{}/{}", mounts_dir(data_root), image.id.hex());
    return KNARR_TRY(mount_new(store, mounts, path, mount), "mount image {}", printable(name));
}

Result<std::string> unmount_image(const std::string& data_root,
                                  std::string_view name,
                                  UnmountMode mode) {
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const image::Image image = KNARR_TRY(image::find_image(store, name));
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    for (ImageMount& mount : KNARR_TRY(mounts_in_use(data_root))) {
        if (mount.seen.id != image.id.text()) {
            continue;
        }
        const std::string own(image.id.hex());
        const sys::Fd mounts = KNARR_TRY(sys::make_dirs(mounts_dir(data_root), 0700));
        if (mode == UnmountMode::one && mount.seen.mounts > 1) {
            --mount.seen.mounts;
            const sys::Fd dir = KNARR_TRY(sys::open_at(mounts, own, O_RDONLY | O_DIRECTORY));
            KNARR_TRY(save(dir, mount), "unmount image {}", printable(name));
            return mount.seen.id;
        }
        Result<> gone = sys::unmount_path(
            mount.seen.path,
            mode == UnmountMode::force ? sys::UnmountWay::detach : sys::UnmountWay::when_idle);
        if (!gone && gone.error().sys_errno == EBUSY) {
            return fail(Error{
                .code = Errc::image_in_use,
                .sys_errno = EBUSY,
                .message = fmt::format(
                    "image {}: something below {} is in use", printable(name), mount.seen.path),
                .hint = "end the processes that use it (fuser -m), or unmount with "
                        "--force"});
        }
        KNARR_TRY(std::move(gone), "unmount image {}", printable(name));
        KNARR_TRY(forget(mounts, own), "unmount image {}", printable(name));
        return mount.seen.id;
    }
    return fail(Error{.code = Errc::wrong_state,
                      .message = fmt::format("image {} is not mounted", printable(name)),
                      .hint = "knarr image mount lists those that are"});
}

Result<std::vector<MountedImage>> mounted_images(const std::string& data_root) {
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    const std::vector<ImageMount> mounts = KNARR_TRY(mounts_in_use(data_root));
    const std::vector<ImageSummary> known =
        mounts.empty() ? std::vector<ImageSummary>() : KNARR_TRY(image::list_images(store));
    std::vector<MountedImage> all;
    for (const ImageMount& mount : mounts) {
        MountedImage seen = mount.seen;
        for (const ImageSummary& summary : known) {
            if (summary.id == seen.id) {
                seen.references = summary.references;
            }
        }
        all.push_back(std::move(seen));
    }
    return all;
}

}  // namespace knarr::engine
