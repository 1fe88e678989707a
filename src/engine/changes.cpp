#include "engine/changes.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "bundle/read.h"
#include "bundle/settings.h"
#include "core/limits.h"
#include "core/text.h"
#include "engine/container_data.h"
#include "engine/image_mounts.h"
#include "engine/live.h"
#include "engine/owner.h"
#include "engine/resolve.h"
#include "engine/tree_copy.h"
#include "layer/stored.h"
#include "platform/file.h"
#include "platform/xattr.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

constexpr int kMaxDepth = 512;  // each level holds a descriptor

/// Compares an overlay's upper directory with what is below it.
class Comparison {
public:
    Comparison(const sys::Fd& lower, std::vector<std::string> mounted_on, std::size_t max_bytes)
        : lower_(lower), mounted_on_(std::move(mounted_on)), changes_(max_bytes) {}

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
        std::vector<Change> changes = std::move(changes_).take();
        std::ranges::sort(changes, {}, &Change::path);
        return changes;
    }

private:
    Result<> note(char kind, const std::string& path) {
        if (path.size() > limits::kMaxPathBytes) {
            return fail(Errc::limit_exceeded,
                        "a path is longer than {} bytes: {}...",
                        limits::kMaxPathBytes,
                        printable(path.substr(0, 100)));
        }
        return changes_.note(kind, path);
    }

    Result<> look_at(const sys::Fd& dir,
                     const std::string& name,
                     const std::string& path,
                     const struct stat& info,
                     int depth) {
        const std::optional<struct stat> before = below(path);
        if (is_whiteout(info)) {
            // Else of what is below the image (layer/base.h).
            return before ? note('D', path) : Result<>{};
        }
        const std::size_t own = changes_.size();
        KNARR_TRY(note(before ? 'C' : 'A', path));
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
            changes_.drop_last();  // there for a mount alone
        }
        return {};
    }

    /// What an opaque directory hides of the layers below.
    Result<> add_hidden(const sys::Fd& dir, const std::string& path) {
        const auto opaque = KNARR_TRY(sys::get_xattr(dir, sys::overlay_opaque()));
        if (!opaque || *opaque != "y") {
            return {};
        }
        const auto old = open_below(path, O_RDONLY | O_DIRECTORY);
        for (const std::string& name :
             old ? KNARR_TRY(sys::list_dir(*old)) : std::vector<std::string>()) {
            if (!KNARR_TRY(sys::stat_at(dir, name))) {
                KNARR_TRY(note('D', fmt::format("{}/{}", path, name)));
            }
        }
        return {};
    }

    Result<sys::Fd> open_below(const std::string& path, std::uint64_t flags) const {
        return sys::open_how(
            lower_, path.substr(1), flags | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    }
    /// A link at the end is what is there; one on the way there means that nothing is.
    std::optional<struct stat> below(const std::string& path) const {
        const std::size_t slash = path.rfind('/');
        const auto parent = slash == 0 ? sys::open_at(lower_, ".", O_PATH | O_DIRECTORY)
                                       : open_below(path.substr(0, slash), O_PATH | O_DIRECTORY);
        const auto info =
            parent ? sys::stat_at(*parent, path.substr(slash + 1)) : fail(parent.error());
        return info ? *info : std::nullopt;
    }

    const sys::Fd& lower_;
    const std::vector<std::string> mounted_on_;
    ChangeList changes_;
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

std::size_t bytes_of(const Change& change) {
    return sizeof(Change) + change.path.size();
}

}  // namespace

Result<> ChangeList::note(char kind, const std::string& path) {
    changes_.push_back({.kind = kind, .path = path});
    bytes_ += bytes_of(changes_.back());
    if (bytes_ > max_bytes_) {
        return fail(
            Errc::limit_exceeded, "what differs takes more than {} bytes to tell", max_bytes_);
    }
    return {};
}

void ChangeList::drop_last() {
    bytes_ -= bytes_of(changes_.back());
    changes_.pop_back();
}

Result<std::vector<Change>> compare_layer(const sys::Fd& lower,
                                          const sys::Fd& upper,
                                          std::vector<std::string> mounted_on,
                                          std::size_t max_bytes) {
    Comparison comparison(lower, std::move(mounted_on), max_bytes);
    KNARR_TRY(comparison.enter(upper, "", 0));
    return std::move(comparison).take();
}

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
    KNARR_TRY(enter_owner_namespace(data_root));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const ContainerUse use = KNARR_TRY(read_use(data_root, seen.record.id));
    const auto layers = KNARR_TRY(layer::MountedLayers::mount(store, use.chain));
    const sys::Fd lower = KNARR_TRY(open_image_root(layers.lowers()));
    const sys::Fd upper =
        KNARR_TRY(sys::open_path(data_dir + "/upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return KNARR_TRY(compare_layer(lower, upper, mount_targets(data_dir)),
                     "diff of container {}",
                     container.text());
}

}  // namespace knarr::engine
