#include "engine/container_volumes.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>

#include "bundle/make.h"
#include "bundle/settings.h"
#include "core/fault.h"
#include "core/text.h"
#include "engine/volumes.h"
#include "platform/file.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kMaxDeclared = 128;

Error wrong_declaration(std::string_view declared, std::string_view why) {
    return fail(Error{.code = Errc::invalid_image,
                      .message = fmt::format(
                          "the image declares the volume \"{}\": {}", printable(declared), why),
                      .hint = {}})
        .error();
}

/// Where an image may have a volume. In the kernel's own directories its files would stand for what
/// only the kernel says (CVE-2019-16884); a link that leads there is refused when it is mounted.
Result<std::string> declared_target(std::string_view declared) {
    Result<std::string> target = bundle::target_path(declared, "volume");
    if (!target) {
        return fail(wrong_declaration(declared, target.error().message));
    }
    for (const std::string_view place : {"/proc", "/sys", "/dev"}) {
        if (*target == place || target->starts_with(fmt::format("{}/", place))) {
            return fail(wrong_declaration(declared, fmt::format("{} is the kernel's", place)));
        }
    }
    return target;
}

Result<> add_declared(RunRequest& request, const spec::ImageRunConfig& image) {
    if (image.volumes.size() > kMaxDeclared) {
        return fail(Errc::limit_exceeded,
                    "the image declares {} volumes, more than {}",
                    image.volumes.size(),
                    kMaxDeclared);
    }
    for (const std::string& declared : image.volumes) {
        const std::string target = KNARR_TRY(declared_target(declared));
        const auto is_there = [&](const auto& one) {
            const auto path = bundle::target_path(one.target, "target");
            return path && *path == target;
        };
        if (std::ranges::none_of(request.volumes, is_there) &&
            std::ranges::none_of(request.settings.tmpfs, is_there)) {
            VolumeRequest& volume = request.volumes.emplace_back();
            volume.target = target;
            volume.kind = VolumeKind::volume;
        }
    }
    return {};
}

}  // namespace

Result<> resolve_sources(std::vector<VolumeRequest>& volumes) {
    for (VolumeRequest& volume : volumes) {
        if (volume.kind == VolumeKind::volume) {
            if (!volume.source.empty()) {
                KNARR_TRY(check_volume_name(volume.source));
            }
            continue;
        }
        Result<sys::Fd> source = sys::open_path(volume.source, O_PATH);
        if (!source && source.error().sys_errno == ENOENT && volume.make_source) {
            source = sys::make_dirs(volume.source, 0755);
        }
        if (!source) {
            Error error = source.error();
            error.code = Errc::invalid_argument;
            return fail(std::move(error)
                            .within("volume source")
                            .advise("make the directory first; run -v HOST:DIR makes it"));
        }
        volume.source = KNARR_TRY(sys::read_link_at(sys::Fd(), sys::fd_path(*source)),
                                  "volume source {}",
                                  printable(volume.source));
    }
    return {};
}

Result<std::vector<WantedVolume>> plan_volumes(const std::string& data_root,
                                               RunRequest& request,
                                               const spec::ImageRunConfig& image) {
    KNARR_TRY(add_declared(request, image));
    std::vector<WantedVolume> wanted;
    for (VolumeRequest& volume : request.volumes) {
        if (volume.kind != VolumeKind::volume) {
            continue;
        }
        const bool anonymous = volume.source.empty();
        wanted.push_back({.name = anonymous ? new_volume_name() : volume.source,
                          .target = volume.target,
                          .labels = volume.labels,
                          .anonymous = anonymous,
                          .copy = !volume.no_copy});
        volume.source = mountpoint_of(data_root, wanted.back().name);
    }
    return wanted;
}

bool has_option(const spec::Mount& mount, std::string_view option) {
    return std::ranges::find(mount.options, option) != mount.options.end();
}

bool is_writable(const spec::Mount& mount) {
    return !has_option(mount, "ro") && !has_option(mount, "rro");
}

bool is_asked_for(const spec::Mount& mount, const std::string& data_dir) {
    const bool binds = has_option(mount, "bind") || has_option(mount, "rbind");
    const bool own = !data_dir.empty() && mount.source.starts_with(data_dir + "/");
    // --init, and --ipc host.
    const bool helps = mount.destination == bundle::kInitTarget ||
                       ((mount.destination == "/dev/shm" || mount.destination == "/dev/mqueue") &&
                        mount.source == mount.destination);
    return binds && !own && !helps;
}

Result<> make_volumes(const std::string& data_root,
                      const std::vector<WantedVolume>& wanted,
                      const std::function<Result<sys::Fd>()>& root) {
    sys::Fd image;
    for (const WantedVolume& volume : wanted) {
        KNARR_TRY(make_volume(
            data_root,
            {.name = volume.name, .labels = volume.labels, .anonymous = volume.anonymous}));
        KNARR_TRY(fault_point("volume.made"));
        if (!volume.copy) {
            continue;
        }
        if (!image.valid()) {
            image = KNARR_TRY(root());
        }
        KNARR_TRY(fill_volume(data_root, volume.name, image, volume.target));
    }
    return {};
}

}  // namespace knarr::engine
