#include "engine/container_copy.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle/read.h"
#include "core/limits.h"
#include "core/text.h"
#include "engine/container_data.h"
#include "engine/container_files.h"
#include "engine/live.h"
#include "engine/owner.h"
#include "engine/resolve.h"
#include "engine/tar_extract.h"
#include "engine/tree_copy.h"
#include "image/tree_tar.h"
#include "layer/stored.h"
#include "platform/absent.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/standard_stream.h"
#include "runtime/launch/launch.h"
#include "runtime/native/mounts.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

/// Where paths are resolved: a directory that is the root, and what keeps it.
struct Root {
    std::optional<LockedDir> lock;  // of a container that does not run and is written to
    std::optional<layer::MountedLayers> layers;
    sys::Fd dir;       // the first to go: it may be the mount that those two are there for
    std::string path;  // what is wanted, absolute in `dir`
};

/// "a/./b//" as "/a/b"; ".." goes up, at most to the root.
std::string clean(std::string_view path) {
    std::vector<std::string_view> parts;
    for (const std::string_view part : split(path, '/')) {
        if (part == ".." && !parts.empty()) {
            parts.pop_back();
        } else if (!part.empty() && part != "." && part != "..") {
            parts.push_back(part);
        }
    }
    return "/" + fmt::format("{}", fmt::join(parts, "/"));
}

std::pair<std::string, std::string> split_path(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

/// Of one that runs the root is what its processes see, mounts and all.
Result<Root> root_of_process(const Seen& seen, std::string path) {
    Root root;
    Result<sys::Fd> dir =
        sys::open_path(fmt::format("/proc/{}/root", seen.record.pid), O_PATH | O_DIRECTORY);
    // A process that has ended has no root, also before somebody reaps it. The number may have been
    // another process's by then: ours lives still.
    const bool has_none =
        !dir && (dir.error().sys_errno == ENOENT || dir.error().sys_errno == ESRCH);
    if (has_none || !sys::pidfd_send_signal(seen.live.process, 0)) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = "it ended just now, and is not running",
                          .hint = "try again: the files of one that has ended can be copied, too"});
    }
    root.dir = KNARR_TRY(std::move(dir));
    root.path = std::move(path);
    return root;
}

/// The mount that a path would be on if the container ran.
const spec::Mount* mount_over(const spec::RuntimeConfig& config, const std::string& path) {
    const spec::Mount* over = nullptr;
    std::size_t longest = 0;
    for (const spec::Mount& mount : config.mounts) {
        const std::string place = clean(mount.destination);
        const bool within = path == place || path.starts_with(place + "/");
        if (within && place.size() >= longest) {  // of two on one place the later one shows
            over = &mount;
            longest = place.size();
        }
    }
    return over;
}

Result<> refuse_read_only(const spec::RuntimeConfig& config,
                          const spec::Mount* over,
                          const std::string& path) {
    if (over == nullptr) {
        return config.root && config.root->readonly
                   ? fail(Errc::wrong_state,
                          "{} is on the root file system, which is read-only",
                          printable(path))
                   : Result<>{};
    }
    const auto options = KNARR_TRY(runtime::native::parse_mount_options(over->options));
    if (((options.set | options.rec_set) & MOUNT_ATTR_RDONLY) != 0) {
        return fail(Errc::wrong_state,
                    "{} is on the mount {}, which is read-only",
                    printable(path),
                    printable(over->destination));
    }
    return {};
}

Result<Root> root_of_mount(const spec::Mount& over, const std::string& path) {
    if (over.type != "bind") {
        return fail(
            Error{.code = Errc::wrong_state,
                  .message = fmt::format(
                      "{} is on a {} that is there only while it runs", printable(path), over.type),
                  .hint = "start the container first"});
    }
    Root root;
    auto dir = sys::open_path(over.source, O_PATH | O_DIRECTORY);
    if (!dir && dir.error().sys_errno == ENOTDIR) {  // a file is mounted there
        const auto [parent, name] = split_path(over.source);
        root.dir = KNARR_TRY(sys::open_path(parent, O_PATH | O_DIRECTORY));
        root.path = "/" + name;
        return root;
    }
    root.dir = KNARR_TRY(std::move(dir));
    root.path = clean(path.substr(clean(over.destination).size()));
    return root;
}

/// Of one that does not run: its layers, or the volume that it would have there.
Result<Root> root_of_files(const Record& record, std::string path, bool to_write) {
    const auto bundle = KNARR_TRY(bundle::read_bundle(record.data_dir));
    const spec::Mount* over = mount_over(bundle.config, path);
    if (to_write) {
        KNARR_TRY(refuse_read_only(bundle.config, over, path));
    }
    if (over != nullptr) {
        return root_of_mount(*over, path);
    }
    Root root;
    root.path = std::move(path);
    if (!to_write) {
        root.dir = KNARR_TRY(open_container_files(record));
        return root;
    }
    const std::string data_root = data_root_of(record.data_dir);
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const ContainerUse use = KNARR_TRY(read_use(data_root, record.id));
    root.layers.emplace(KNARR_TRY(layer::MountedLayers::mount(store, use.chain)));
    root.dir =
        KNARR_TRY(runtime::open_root_source(planned_root(root.layers->lowers(), record.data_dir)));
    return root;
}

/// The container, held where it must not start meanwhile.
struct Found {
    Seen seen;
    std::optional<LockedDir> lock;
};

Result<Found> find(const Context& context, const ContainerId& id, bool into) {
    Found found{.seen = KNARR_TRY(look_at(context, id)), .lock = std::nullopt};
    if (into && !found.seen.live.process.valid()) {
        // An overlay must not be mounted twice: nobody starts or removes it meanwhile.
        Held held = KNARR_TRY(hold(context, id));
        found.seen = Seen{.record = std::move(held.record), .live = std::move(held.live)};
        found.lock.emplace(std::move(held.dir));
    }
    return found;
}

Result<Root> open_root(Found found, const CopyRequest& request) {
    const Seen& seen = found.seen;
    std::string path = clean(request.inside);
    if (seen.live.process.valid()) {
        return root_of_process(seen, std::move(path));
    }
    if (seen.live.state == ContainerState::creating) {
        return fail(Errc::wrong_state, "it is just being made");
    }
    if (seen.record.data_dir.empty()) {
        return fail(Errc::wrong_state,
                    "it was made from a bundle and does not run: its files are in {}",
                    printable(seen.record.rootfs));
    }
    Root root = KNARR_TRY(root_of_files(seen.record, std::move(path), request.into));
    if (found.lock) {
        root.lock.emplace(std::move(*found.lock));
    }
    return root;
}

/// One that ends just then is taken as one that has ended.
Result<Root> open_root_as_it_is(const Context& context,
                                const ContainerId& id,
                                Found found,
                                const CopyRequest& request) {
    const bool ran = found.seen.live.process.valid();
    Result<Root> root = open_root(std::move(found), request);
    const bool ended =
        !root && (sys::is_absent(root.error()) || root.error().code == Errc::wrong_state);
    if (!ran || !ended) {
        return root;
    }
    // Its root goes before it does.
    const Seen seen = KNARR_TRY(look_at(context, id));
    if (seen.live.process.valid() &&
        !KNARR_TRY(sys::wait_ended(seen.live.process, std::chrono::seconds(1)))) {
        return root;
    }
    return open_root(KNARR_TRY(find(context, id, request.into)), request);
}

/// The directory of what is copied, as it was opened.
Result<sys::Fd> advise_parent(Result<sys::Fd> dir) {
    if (!dir && sys::is_absent(dir.error())) {
        return fail(std::move(dir).error().advise(
            "make the directory first (mkdir -p), or look at the path: cp makes the last part of "
            "it alone"));
    }
    return dir;
}

/// An entry of a directory, as things are copied.
struct Place {
    sys::Fd dir;
    std::string name;
    std::optional<struct stat> info;  // not of what a link leads to

    bool is_dir() const { return info && S_ISDIR(info->st_mode); }
};

/// The entry that a path in the root names; with `follow` what a link there leads to.
Result<Place> find_inside(const Root& root, std::string path, bool follow) {
    for (int links = 0;; ++links) {
        if (path == "/") {
            Place place;
            place.dir = KNARR_TRY(sys::open_in_root(root.dir, "/", O_RDONLY | O_DIRECTORY));
            place.name = ".";
            place.info = KNARR_TRY(sys::stat_of(place.dir));
            return place;
        }
        const auto [parent, name] = split_path(path);
        Place place;
        place.dir =
            KNARR_TRY(advise_parent(sys::open_in_root(root.dir, parent, O_RDONLY | O_DIRECTORY)));
        place.name = name;
        place.info = KNARR_TRY(sys::stat_at(place.dir, name));
        if (!follow || !place.info || !S_ISLNK(place.info->st_mode)) {
            return place;
        }
        if (links == limits::kMaxSymlinkDepth) {
            return fail(Errc::invalid_argument, "too many links");
        }
        const std::string target = KNARR_TRY(sys::read_link_at(place.dir, name));
        path = clean(target.starts_with('/') ? target : fmt::format("{}/{}", parent, target));
    }
}

/// The same for a path of the caller's.
Result<Place> find_outside(const std::string& path, bool follow) {
    std::string whole = path;
    while (whole.size() > 1 && whole.ends_with('/')) {
        whole.pop_back();
    }
    const std::size_t slash = whole.rfind('/');
    const std::string parent = slash == std::string::npos ? "."
                               : slash == 0               ? "/"
                                                          : whole.substr(0, slash);
    std::string name = slash == std::string::npos ? whole : whole.substr(slash + 1);
    Place place;
    if (name.empty() || name == "." || name == "..") {
        place.dir = KNARR_TRY(sys::open_path(whole, O_RDONLY | O_DIRECTORY));
        place.name = ".";
        place.info = KNARR_TRY(sys::stat_of(place.dir));
        return place;
    }
    place.dir = KNARR_TRY(advise_parent(sys::open_path(parent, O_RDONLY | O_DIRECTORY)));
    place.name = std::move(name);
    place.info = KNARR_TRY(sys::stat_at(place.dir, place.name));
    if (follow && place.info && S_ISLNK(place.info->st_mode)) {
        const sys::Fd target = KNARR_TRY(sys::open_path(whole, O_PATH));
        return find_outside(KNARR_TRY(sys::read_link_at(sys::Fd(), sys::fd_path(target))), false);
    }
    return place;
}

/// Is what is in the directory meant, and not the directory itself? Only the words say so: what a
/// link of the container leads to has no say.
bool means_content(std::string_view path) {
    return path.ends_with("/.") || path == "." || clean(path) == "/";
}

/// What the copy is called in a directory: the last part of what was asked for. A link leads to
/// what is copied, but does not choose its name. Source: docker's RebaseArchiveEntries.
std::string name_asked_for(std::string_view path) {
    return split_path(clean(path)).second;
}

Result<sys::Fd> open_directory(const Place& place) {
    return sys::open_at(place.dir, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/// One side of a copy: where it is, and the caller's words for it.
struct Side {
    const Place& place;
    std::string_view path;
};

Error not_there(std::string_view path) {
    return Error{.code = Errc::not_found,
                 .message = fmt::format("{} is not there", printable(path)),
                 .hint = "look at the path: one in the container counts from its root"};
}

Result<> check_sides(const Side& from, const Side& to) {
    if (!from.place.info) {
        return fail(not_there(from.path));
    }
    if (from.path.ends_with('/') && !from.place.is_dir()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("{} is no directory", printable(from.path)),
                          .hint = "leave out the slash at its end"});
    }
    if (!to.place.info && to.path.ends_with('/') && !from.place.is_dir()) {
        return fail(Error{
            .code = Errc::invalid_argument,
            .message = fmt::format("the directory {} is not there", printable(to.path)),
            .hint = "make it first (mkdir -p), or leave out the slash at the end: then the copy is "
                    "called so"});
    }
    if (to.place.info && to.path.ends_with('/') && !to.place.is_dir()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("{} is no directory", printable(to.path)),
                          .hint = "leave out the slash at its end to write over it"});
    }
    if (to.place.info && from.place.is_dir() && !to.place.is_dir()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("cannot copy a directory to {}, which is none",
                                                 printable(to.path)),
                          .hint = "name a directory, or a path that is not there yet"});
    }
    return {};
}

void tell(const LeftOut& left_out, const Context& context) {
    if (left_out.devices > 0) {
        context.warn(
            fmt::format("devices that were left out: {}; --archive copies them", left_out.devices));
    }
    if (left_out.kernel_views > 0) {
        context.warn(
            fmt::format("file systems of the kernel that were left out: {} (/proc, /sys "
                        "and the like); one that is named itself is copied",
                        left_out.kernel_views));
    }
}

/// docker's rules.
/// Source: docker container cp, "Extended description".
Result<LeftOut> copy_place(const Side& from,
                           const std::string& asked,
                           const Side& to,
                           const CopyRules& rules) {
    KNARR_TRY(check_sides(from, to));
    if (!to.place.is_dir()) {
        return copy_entry(from.place.dir, from.place.name, to.place.dir, to.place.name, rules);
    }
    const sys::Fd target = KNARR_TRY(open_directory(to.place));
    if (from.place.is_dir() && asked == ".") {
        return copy_entries(KNARR_TRY(open_directory(from.place)), target, rules);
    }
    return copy_entry(from.place.dir, from.place.name, target, asked, rules);
}

Result<> copy_out(const Context& context, const Root& root, const CopyRequest& request) {
    const bool follow =
        request.follow_link || request.inside.ends_with('/') || means_content(request.inside);
    const Place from = KNARR_TRY(find_inside(root, root.path, follow), "{}", printable(root.path));
    const std::string asked = means_content(request.inside) ? "." : name_asked_for(request.inside);
    if (request.outside == "-") {
        if (!from.info) {
            return fail(not_there(request.inside));
        }
        const sys::StandardStream out(1);
        tell({.kernel_views = KNARR_TRY(image::write_entry(from.dir, from.name, asked, out.fd()))},
             context);
        return {};
    }
    const Place to = KNARR_TRY(find_outside(request.outside, true));
    CopyRules rules{.to_host = true};
    if (!request.keep_owner) {
        if (from.info && (S_ISCHR(from.info->st_mode) || S_ISBLK(from.info->st_mode))) {
            return fail(Error{.code = Errc::invalid_argument,
                              .message = fmt::format("{} is a device", printable(request.inside)),
                              .hint = "--archive copies devices, too"});
        }
        rules.owner = Owner{.uid = sys::effective_uid(), .gid = getegid()};
    }
    const LeftOut left_out = KNARR_TRY(copy_place({.place = from, .path = request.inside},
                                                  asked,
                                                  {.place = to, .path = request.outside},
                                                  rules));
    tell(left_out, context);
    return {};
}

Result<> copy_in(const Root& root, const CopyRequest& request) {
    const Place to = KNARR_TRY(find_inside(root, root.path, true), "{}", printable(root.path));
    if (request.outside == "-") {
        if (!to.is_dir()) {
            return fail(Errc::invalid_argument,
                        "{} is no directory: a tar is unpacked into one",
                        printable(request.inside));
        }
        const sys::StandardStream in(0);
        const sys::Fd target = KNARR_TRY(open_directory(to));
        return extract_tar(in.fd(), target);
    }
    const bool follow = request.follow_link || request.outside.ends_with('/');
    const Place from = KNARR_TRY(find_outside(request.outside, follow));
    CopyRules rules;
    if (!request.keep_owner) {
        rules.owner = Owner{};
    }
    // ".." does not tell the name: what is in it is copied.
    const bool content = means_content(request.outside) || request.outside == ".." ||
                         request.outside.ends_with("/..");
    KNARR_TRY(copy_place({.place = from, .path = request.outside},
                         content ? "." : name_asked_for(request.outside),
                         {.place = to, .path = request.inside},
                         rules));
    return {};
}

/// From one container to another, neither of which trusts the other: where the owner is replaced,
/// what a user of the one made has no set-user-ID bits and no devices in the other.
Result<> copy_between(const Context& context, const CopyRequest& request) {
    const ContainerId from_id = KNARR_TRY(resolve_id(context, request.container));
    const ContainerId to_id = KNARR_TRY(resolve_id(context, request.to_container));
    if (is_ordinary_user()) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "copying between containers is not built for ordinary users",
                          .hint = "knarr cp A:PATH - | knarr cp - B:DIR"});
    }
    Found to = KNARR_TRY(find(context, to_id, true));
    if (from_id == to_id && !to.seen.live.process.valid()) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = fmt::format("container {} is not running: within it there is "
                                                 "nothing to copy with",
                                                 to_id.text()),
                          .hint = "start it first, or copy by way of the host"});
    }
    const CopyRequest out{.container = request.container, .inside = request.inside};
    const CopyRequest in{
        .container = request.to_container, .inside = request.outside, .into = true};
    const std::string what =
        fmt::format("copy from container {} to {}", from_id.text(), to_id.text());
    Found source = KNARR_TRY(find(context, from_id, false));
    const Root from_root =
        KNARR_TRY(open_root_as_it_is(context, from_id, std::move(source), out), "{}", what);
    const Root to_root =
        KNARR_TRY(open_root_as_it_is(context, to_id, std::move(to), in), "{}", what);
    const bool content = means_content(request.inside);
    const bool follow = request.follow_link || request.inside.ends_with('/') || content;
    const Place from = KNARR_TRY(find_inside(from_root, from_root.path, follow), "{}", what);
    const Place target = KNARR_TRY(find_inside(to_root, to_root.path, true), "{}", what);
    const CopyRules rules{.owner = request.keep_owner ? std::optional<Owner>() : Owner{},
                          .to_host = true};
    tell(KNARR_TRY(copy_place({.place = from, .path = request.inside},
                              content ? "." : name_asked_for(request.inside),
                              {.place = target, .path = request.outside},
                              rules),
                   "{}",
                   what),
         context);
    return {};
}

}  // namespace

Result<> copy(const EngineOptions& options, const CopyRequest& request) {
    const StateRoot states = KNARR_TRY(StateRoot::open(options.root));
    const Context context = context_of(states, options);
    if (!request.to_container.empty()) {
        return copy_between(context, request);
    }
    const ContainerId id = KNARR_TRY(resolve_id(context, request.container));
    Found found = KNARR_TRY(find(context, id, request.into));
    if (found.seen.live.process.valid()) {
        KNARR_TRY(enter_namespace_of(found.seen.live.process));
    } else if (!found.seen.record.data_dir.empty()) {
        KNARR_TRY(enter_owner_namespace(data_root_of(found.seen.record.data_dir)));
    }
    const std::string what = "copy with container " + id.text();
    const Root root =
        KNARR_TRY(open_root_as_it_is(context, id, std::move(found), request), "{}", what);
    KNARR_TRY(request.into ? copy_in(root, request) : copy_out(context, root, request), "{}", what);
    return {};
}

}  // namespace knarr::engine
