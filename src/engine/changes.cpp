#include "engine/changes.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "bundle/read.h"
#include "bundle/settings.h"
#include "core/text.h"
#include "engine/container_data.h"
#include "engine/image_mounts.h"
#include "engine/live.h"
#include "engine/resolve.h"
#include "layer/stored.h"
#include "platform/file.h"
#include "platform/xattr.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

constexpr int kMaxDepth = 512;  // each level holds a descriptor
constexpr const char* kOpaque = "trusted.overlay.opaque";

/// Compares an overlay's upper directory with what is below it.
class Comparison {
public:
    Comparison(const sys::Fd& lower, std::vector<std::string> mounted_on)
        : lower_(lower), mounted_on_(std::move(mounted_on)) {}

    Result<> enter(const sys::Fd& dir, const std::string& path, int depth) {
        if (depth > kMaxDepth) {
            return fail(Errc::limit_exceeded, "directories are deeper than {}", kMaxDepth);
        }
        for (const std::string& name : KNARR_TRY(sys::list_dir(dir), "{}", printable(path))) {
            if (const auto info = KNARR_TRY(sys::stat_at(dir, name))) {
                KNARR_TRY(look_at(dir, name, fmt::format("{}/{}", path, name), *info, depth));
            }
        }
        return {};
    }

    std::vector<Change> take() && {
        std::ranges::sort(changes_, {}, &Change::path);
        return std::move(changes_);
    }

private:
    Result<> look_at(const sys::Fd& dir,
                     const std::string& name,
                     const std::string& path,
                     const struct stat& info,
                     int depth) {
        const std::optional<struct stat> before = below(path);
        if (S_ISCHR(info.st_mode) && info.st_rdev == 0) {
            changes_.push_back({.kind = 'D', .path = path});  // a whiteout
            return {};
        }
        const std::size_t own = changes_.size();
        changes_.push_back({.kind = before ? 'C' : 'A', .path = path});
        if (S_ISDIR(info.st_mode)) {
            const sys::Fd inner =
                KNARR_TRY(sys::open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            if (before && S_ISDIR(before->st_mode)) {
                KNARR_TRY(add_hidden(inner, path));
            }
            KNARR_TRY(enter(inner, path, depth + 1));
        }
        const bool is_place = std::ranges::any_of(mounted_on_, [&](const std::string& target) {
            return target == path || target.starts_with(path + "/");
        });
        if (is_place && changes_.size() == own + 1) {
            changes_.pop_back();  // there for a mount alone
        }
        return {};
    }

    /// What an opaque directory hides of the layers below.
    Result<> add_hidden(const sys::Fd& dir, const std::string& path) {
        const auto opaque = KNARR_TRY(sys::get_xattr(dir, kOpaque));
        if (!opaque || *opaque != "y") {
            return {};
        }
        const auto old = open_below(path, O_RDONLY | O_DIRECTORY);
        for (const std::string& name :
             old ? KNARR_TRY(sys::list_dir(*old)) : std::vector<std::string>()) {
            if (!KNARR_TRY(sys::stat_at(dir, name))) {
                changes_.push_back({.kind = 'D', .path = fmt::format("{}/{}", path, name)});
            }
        }
        return {};
    }

    Result<sys::Fd> open_below(const std::string& path, std::uint64_t flags) const {
        return sys::open_how(
            lower_, path.substr(1), flags | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    }
    std::optional<struct stat> below(const std::string& path) const {
        // RESOLVE_NO_SYMLINKS refuses a link at the end as well; O_PATH alone would open it.
        const auto opened = sys::open_how(
            lower_, path.substr(1), O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
        const auto info = opened ? sys::stat_of(*opened) : fail(opened.error());
        return info ? std::optional(*info) : std::nullopt;
    }

    const sys::Fd& lower_;
    const std::vector<std::string> mounted_on_;
    std::vector<Change> changes_;
};

std::vector<std::string> mount_targets(const std::string& bundle_dir) {
    std::vector<std::string> targets{"/dev/console", "/.dockerenv"};
    const auto bundle = bundle::read_bundle(bundle_dir);
    for (const spec::Mount& mount : bundle ? bundle->config.mounts : std::vector<spec::Mount>()) {
        if (auto path = bundle::target_path(mount.destination, "mount")) {
            targets.push_back(std::move(*path));
        }
    }
    return targets;
}

}  // namespace

Result<std::vector<Change>> changes_of(const EngineOptions& options, std::string_view id) {
    const StateRoot states = KNARR_TRY(StateRoot::open(options.root));
    const Context context = context_of(states, options);
    const ContainerId container = KNARR_TRY(resolve_id(context, id));
    const Seen seen = KNARR_TRY(look_at(context, container));
    const std::string& data_dir = seen.record.data_dir;
    if (data_dir.empty()) {
        return fail(Errc::unsupported,
                    "container {} was made from a bundle: there is no image to compare it with",
                    container.text());
    }
    const std::string data_root = data_root_of(data_dir);
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const ContainerUse use = KNARR_TRY(read_use(data_root, seen.record.id));
    const auto layers = KNARR_TRY(layer::MountedLayers::mount(store, use.chain));
    const sys::Fd lower = KNARR_TRY(open_image_root(layers.lowers()));
    const sys::Fd upper =
        KNARR_TRY(sys::open_path(data_dir + "/upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    Comparison comparison(lower, mount_targets(data_dir));
    KNARR_TRY(comparison.enter(upper, "", 0), "diff of container {}", container.text());
    return std::move(comparison).take();
}

}  // namespace knarr::engine
