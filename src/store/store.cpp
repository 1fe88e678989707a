// Opening the store, what killed writers left, and the layers.
#include "store/store.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/fault.h"
#include "core/limits.h"
#include "core/random.h"
#include "core/text.h"
#include "platform/disk.h"
#include "platform/host_mount.h"
#include "platform/path_owner.h"
#include "store/disk_trouble.h"

namespace knarr::store {

namespace {

/// Others must neither read images nor plant layers. Source: CVE-2024-25621, CVE-2021-41103.
Result<> check_private(const sys::Fd& dir, const std::string& path) {
    const struct stat info = KNARR_TRY(sys::stat_of(dir), "data root {}", printable(path));
    if (info.st_uid != sys::effective_uid()) {
        return fail(Error{.code = Errc::denied,
                          .message = fmt::format("data root {} belongs to user {}, not to {}",
                                                 printable(path),
                                                 info.st_uid,
                                                 sys::effective_uid()),
                          .hint = "choose another directory with --data-root"});
    }
    if ((info.st_mode & 0077U) != 0) {
        return fail(Error{.code = Errc::denied,
                          .message = fmt::format("data root {} is open to others (mode {:04o})",
                                                 printable(path),
                                                 info.st_mode & 07777U),
                          .hint = "chmod 0700 it, or choose another with --data-root"});
    }
    return {};
}

Result<sys::Fd> sub_dir(const sys::Fd& dir, const std::string& name) {
    Result<> made = sys::make_dir_at(dir, name, 0700);
    if (!made && made.error().sys_errno != EEXIST) {
        return fail(std::move(made).error());
    }
    return sys::open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace

namespace {

/// Whether all of the place is there. Errors: as check_way().
Result<bool> look_along(const OwnPlace& place) {
    using Why = sys::HandsOfOthers::Why;
    const sys::WayTo way =
        KNARR_TRY(sys::hands_of_others(place.path), "{} {}", place.what, printable(place.path));
    const auto& found = way.others;
    if (!found) {
        return way.is_there;
    }
    const std::string there = printable(found->path);
    const std::string why =
        found->why == Why::link
            ? fmt::format(
                  "is reached through the symbolic link {} of user {}, who can turn it to "
                  "another place at any time",
                  there,
                  found->owner)
        : found->why == Why::owner
            ? fmt::format("lies below {} of user {}, who can put another directory in its place",
                          there,
                          found->owner)
            : fmt::format(
                  "lies below {}, where others may write (mode {:04o}): they can put "
                  "another directory in its place",
                  there,
                  found->mode);
    const std::string mend = found->why == Why::link
                                 ? fmt::format("have root own the link (chown -h root {})", there)
                             : found->why == Why::owner
                                 ? fmt::format("have root own the directory (chown root {})", there)
                                 : fmt::format("chmod go-w {}", there);
    return fail(
        Error{.code = Errc::denied,
              .message = fmt::format("{} {} {}", place.what, printable(place.path), why),
              .hint = fmt::format("{}, or name one below directories of root's or your own with {}",
                                  mend,
                                  place.option)});
}

OwnPlace place_of(const std::string& data_root) {
    return {.what = "data root", .option = "--data-root DIR", .path = data_root};
}

}  // namespace

Result<> check_way(const OwnPlace& place) {
    KNARR_TRY(look_along(place));
    return {};
}

Result<> check_way(const std::string& data_root) {
    return check_way(place_of(data_root));
}

Result<sys::Fd> open_own_place(const OwnPlace& place) {
    bool is_sure = KNARR_TRY(look_along(place));
    KNARR_TRY(fault_point("place.looked_at"));
    Result<sys::Fd> dir = sys::open_path(place.path, O_RDONLY | O_DIRECTORY);
    if (!dir && dir.error().sys_errno == ENOENT) {
        is_sure = false;
        KNARR_TRY(fault_point("place.made"));
        dir = sys::make_dirs(place.path, 0700);
    }
    if (dir && !is_sure) {
        KNARR_TRY(check_way(place));  // somebody else may have made a part of it since we looked
    }
    return dir;
}

Result<Store> Store::open(const std::string& root) {
    return about_disk(make(root), root);
}

Result<Store> Store::make(const std::string& root) {
    if (!root.starts_with('/')) {
        return fail(Errc::invalid_argument, "data root {} is not absolute", printable(root));
    }
    Store store;
    store.root_ = root;
    store.dir_ = KNARR_TRY(open_own_place(place_of(root)), "data root");
    KNARR_TRY(check_private(store.dir_, root));
    const sys::Fd blobs = KNARR_TRY(sub_dir(store.dir_, "blobs"), "data root {}", root);
    store.blobs_ = KNARR_TRY(sub_dir(blobs, "sha256"), "data root {}", root);
    store.ingest_ = KNARR_TRY(sub_dir(store.dir_, "ingest"), "data root {}", root);
    store.refs_ = KNARR_TRY(sub_dir(store.dir_, "refs"), "data root {}", root);
    store.layers_ = KNARR_TRY(sub_dir(store.dir_, "layers"), "data root {}", root);
    store.leases_ = KNARR_TRY(sub_dir(store.dir_, "leases"), "data root {}", root);
    store.quarantine_ = KNARR_TRY(sub_dir(store.dir_, "quarantine"), "data root {}", root);
    KNARR_TRY(store.clean_staged(), "clean data root {}", root);
    return store;
}

Result<sys::FileLock> Store::lock_staging() const {
    return sys::FileLock::acquire(dir_, "staging.lock", sys::FileLock::Kind::exclusive);
}

namespace {

/// The lock on something staged. Never made anew: that would put a file into a directory that
/// another process is just removing. `gone`: there is none, as in a directory that is half removed.
struct StagedLock {
    bool held_by_other = false, gone = false;
    sys::Fd file = {};
};

Result<StagedLock> try_staged_lock(const sys::Fd& dir, const std::string& name) {
    auto file = sys::open_at(dir, name, O_RDWR | O_NOFOLLOW);
    if (!file && file.error().sys_errno == ENOENT) {
        return StagedLock{.gone = true};
    }
    sys::Fd lock = KNARR_TRY(std::move(file), "lock {}", printable(name));
    const bool ours = KNARR_TRY(sys::try_lock(lock), "lock {}", printable(name));
    return StagedLock{.held_by_other = !ours, .file = std::move(lock)};
}

}  // namespace

/// A staged file or directory whose lock can be had belongs to nobody: its writer was killed, or
/// left a part for the next one.
Result<> Store::clean_staged() const {
    std::vector<std::pair<std::string, sys::Fd>> orphans;
    const auto files = KNARR_TRY(sys::list_dir(ingest_));
    auto dirs = KNARR_TRY(sys::list_dir(layers_));
    std::erase_if(dirs, [](const std::string& name) { return !name.starts_with(".tmp-"); });
    if (files.empty() && dirs.empty()) {
        return {};
    }
    {
        const sys::FileLock staging = KNARR_TRY(lock_staging());
        for (const std::string& name : files) {
            const StagedLock lock = KNARR_TRY(try_staged_lock(ingest_, name));
            if (lock.gone || lock.held_by_other) {
                continue;
            }
            const auto bytes =
                static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(lock.file)).st_size);
            if (!is_part_name(name) || bytes < kMinPartBytes) {
                KNARR_TRY(sys::unlink_at(ingest_, name));
            }
        }
        for (const std::string& name : dirs) {
            StagedLock lock = KNARR_TRY(try_staged_lock(layers_, name + "/lock"));
            if (!lock.held_by_other) {
                orphans.emplace_back(name, std::move(lock.file));
            }
        }
    }
    // Trees can be large: remove them without holding up others, who see our lock on each, or help
    // where that is gone already. What cannot be removed now is tried again at the next opening; it
    // must not block the store.
    for (const auto& [name, lock] : orphans) {
        (void)sys::remove_tree_at(layers_, name);
    }
    return {};
}

std::string Store::layer_path(const spec::Digest& chain_id) const {
    return fmt::format("{}/layers/{}", root_, chain_id.hex());
}

Result<bool> Store::has_layer(const spec::Digest& chain_id) const {
    return KNARR_TRY(sys::stat_at(layers_, std::string(chain_id.hex()))).has_value();
}

Result<std::vector<spec::Digest>> Store::list_layers() const {
    std::vector<spec::Digest> all;
    for (const std::string& name : KNARR_TRY(sys::list_dir(layers_), "list layers")) {
        if (auto digest = spec::Digest::parse("sha256:" + name)) {
            all.push_back(*std::move(digest));
        }
    }
    return all;
}

Result<std::optional<Store::Doomed>> Store::doom_layer(const spec::Digest& chain_id) const {
    const std::string name(chain_id.hex());
    const std::string doomed = fmt::format(".tmp-{}-gone-{}", name.substr(0, 16), random_name());
    // Renamed first: nobody may find half a layer, and the next process finishes the job if we die.
    const sys::FileLock staging = KNARR_TRY(lock_staging());
    // An image that is mounted there can be, by what a kill left behind; nobody uses it: see
    // layer/stored.h.
    for (const char* place : {"/fs", "/merged"}) {
        KNARR_TRY(sys::detach_if_mounted(layer_path(chain_id) + place), "remove layer {}", name);
    }
    Result<> renamed = sys::rename_at(layers_, name, layers_, doomed);
    if (!renamed && renamed.error().sys_errno == ENOENT) {
        return std::optional<Doomed>();
    }
    KNARR_TRY(std::move(renamed), "remove layer {}", name);
    auto lock = KNARR_TRY(
        sys::FileLock::try_acquire(layers_, doomed + "/lock", sys::FileLock::Kind::exclusive));
    return std::optional(Doomed{.name = doomed, .lock = std::move(lock)});
}

std::vector<spec::Digest> chain_ids(const std::vector<spec::Digest>& diff_ids) {
    std::vector<spec::Digest> chain;
    chain.reserve(diff_ids.size());
    for (const spec::Digest& diff_id : diff_ids) {
        chain.push_back(chain.empty()
                            ? diff_id
                            : sha256_of(fmt::format("{} {}", chain.back().text(), diff_id.text())));
    }
    return chain;
}

}  // namespace knarr::store
