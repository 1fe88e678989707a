#include "engine/volumes.h"

#include <algorithm>
#include <cctype>
#include <cerrno>

#include <fcntl.h>

#include "core/clock.h"
#include "core/fault.h"
#include "core/limits.h"
#include "core/random.h"
#include "core/text.h"
#include "core/uuid.h"
#include "engine/container_data.h"
#include "engine/owner.h"
#include "engine/tree_copy.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

constexpr const char* kData = "_data";
constexpr const char* kMeta = "meta";
constexpr const char* kNew = ".new";
constexpr std::string_view kGone = ".gone-";
constexpr const char* kCopying = "copying";
constexpr const char* kCopied = "copied";
constexpr std::size_t kMaxName = 255;
constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

std::string volumes_dir(const std::string& data_root) {
    return data_root + "/volumes";
}

/// Only root may pass: a program with the set-user-ID bit in a volume is nothing for users of the
/// host.
Result<sys::Fd> open_volumes(const std::string& data_root) {
    KNARR_TRY(store::Store::open(data_root));  // makes it, and is sure that it is ours alone
    return KNARR_TRY(sys::make_dirs(volumes_dir(data_root), 0700), "volumes");
}

Result<sys::FileLock> lock_volumes(const sys::Fd& all) {
    return sys::FileLock::acquire(all, ".lock", sys::FileLock::Kind::exclusive);
}

std::string encode(const VolumeInfo& volume) {
    spec::JsonWriter json;
    json.begin_object().member("created", volume.created).member("labels", volume.labels);
    json.member("anonymous", volume.anonymous).end_object();
    return std::move(json).text();
}

Result<> decode(std::string_view text, VolumeInfo& volume) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(text, {.name = kMeta}));
    KNARR_TRY(document.root().required("created", volume.created));
    KNARR_TRY(document.root().required("labels", volume.labels));
    return document.root().required("anonymous", volume.anonymous);
}

/// What is known of a volume that is there. One whose description is damaged can be used and
/// removed.
VolumeInfo load(const sys::Fd& all, const std::string& data_root, const std::string& name) {
    VolumeInfo volume{.name = name, .mountpoint = mountpoint_of(data_root, name)};
    const auto text = sys::read_file_at(all, name + "/" + kMeta, limits::kMaxStateBytes);
    Result<> read = text ? decode(*text, volume) : Result<>(fail(text.error()));
    if (!read) {
        volume = {.name = name, .mountpoint = volume.mountpoint};
        volume.damage = read.error().message;
    }
    return volume;
}

Error no_such(std::string_view name) {
    return Error{.code = Errc::not_found,
                 .message = fmt::format("no such volume: {}", printable(name)),
                 .hint = "knarr volume ls shows them"};
}

/// Moves what was copied to where containers see it. What somebody has put there meanwhile stays.
Result<> move_in(const sys::Fd& volume, const sys::Fd& data) {
    const sys::Fd copied = KNARR_TRY(sys::open_at(volume, kCopied, kDirectory));
    for (const std::string& name : KNARR_TRY(sys::list_dir(copied))) {
        if (!KNARR_TRY(sys::stat_at(data, name))) {
            KNARR_TRY(sys::rename_at(copied, name, data, name));
            KNARR_TRY(fault_point("volume.moved"));
        }
    }
    KNARR_TRY(copy_attributes(copied, data));
    return sys::remove_tree_at(volume, kCopied);
}

Result<> copy_aside(const sys::Fd& volume, const sys::Fd& from) {
    KNARR_TRY(sys::make_dir_at(volume, kCopying, 0700));
    const sys::Fd copying = KNARR_TRY(sys::open_at(volume, kCopying, kDirectory));
    KNARR_TRY(copy_tree(from, copying));
    KNARR_TRY(fault_point("volume.copying"));
    return sys::rename_at(volume, kCopying, volume, kCopied);
}

}  // namespace

std::string mountpoint_of(const std::string& data_root, std::string_view name) {
    return fmt::format("{}/{}/{}", volumes_dir(data_root), name, kData);
}

std::string volume_shown_by(const std::string& data_root, const std::string& source) {
    const std::string prefix = volumes_dir(data_root) + "/";
    if (data_root.empty() || !source.starts_with(prefix)) {
        return {};
    }
    const std::string rest = source.substr(prefix.size());
    std::string name = rest.substr(0, rest.find('/'));
    return source == mountpoint_of(data_root, name) ? name : std::string();
}

Result<> check_volume_name(std::string_view name) {
    const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
    const bool good = name.size() >= 2 && name.size() <= kMaxName && plain(name.front()) &&
                      std::ranges::all_of(name, [&](char c) {
                          return plain(c) || c == '_' || c == '.' || c == '-';
                      });
    return good ? Result<>{}
                : fail(Error{.code = Errc::invalid_argument,
                             .message = fmt::format("\"{}\" is no volume's name", printable(name)),
                             .hint = "two or more letters, digits, _ . -, the first a letter or "
                                     "digit; a path begins with / or ."});
}

std::string new_volume_name() {
    return make_long_id(system_clock(), system_random());
}

Result<VolumeInfo> make_volume(const std::string& data_root, const VolumeWish& wish) {
    KNARR_TRY(check_volume_name(wish.name));
    VolumeInfo volume{.name = wish.name, .mountpoint = mountpoint_of(data_root, wish.name)};
    volume.created = format_time(system_clock().wall());
    volume.labels = wish.labels;
    volume.anonymous = wish.anonymous;
    const sys::Fd all = KNARR_TRY(open_volumes(data_root));
    const sys::FileLock lock = KNARR_TRY(lock_volumes(all));
    if (KNARR_TRY(sys::stat_at(all, wish.name))) {
        return load(all, data_root, wish.name);
    }
    const auto make = [&]() -> Result<> {
        KNARR_TRY(sys::remove_tree_at(all, kNew));  // of a killed one
        KNARR_TRY(sys::make_dir_at(all, kNew, 0700));
        const sys::Fd dir = KNARR_TRY(sys::open_at(all, kNew, kDirectory));
        KNARR_TRY(sys::make_dir_at(dir, kData, 0755));
        const sys::Fd data = KNARR_TRY(sys::open_at(dir, kData, kDirectory));
        KNARR_TRY(sys::set_mode_of(data, 0755));
        KNARR_TRY(sys::replace_file(dir, kMeta, encode(volume), 0600, sys::Sync::file));
        KNARR_TRY(fault_point("volume.new"));
        return sys::rename_at(all, kNew, all, wish.name);
    };
    if (Result<> made = make(); !made) {
        static_cast<void>(sys::remove_tree_at(all, kNew));
        return fail(std::move(made).error().within("volume " + wish.name));
    }
    return volume;
}

Result<std::vector<VolumeInfo>> list_volumes(const std::string& data_root) {
    std::vector<VolumeInfo> volumes;
    KNARR_TRY(store::check_way(data_root));
    const auto all = sys::open_path(volumes_dir(data_root), kDirectory);
    if (!all) {
        return all.error().sys_errno == ENOENT ? Result<std::vector<VolumeInfo>>(volumes)
                                               : fail(all.error());
    }
    for (const std::string& name : KNARR_TRY(sys::list_dir(*all))) {
        if (!check_volume_name(name)) {
            continue;  // the lock, and what killed processes left
        }
        VolumeInfo volume = load(*all, data_root, name);
        if (KNARR_TRY(sys::stat_at(*all, name))) {  // else it was removed meanwhile
            volumes.push_back(std::move(volume));
        }
    }
    return volumes;
}

Result<VolumeInfo> find_volume(const std::string& data_root, const std::string& name) {
    KNARR_TRY(store::check_way(data_root));
    const auto all = sys::open_path(volumes_dir(data_root), kDirectory);
    if (!check_volume_name(name) || (!all && all.error().sys_errno == ENOENT)) {
        return fail(no_such(name));
    }
    if (!all) {
        return fail(all.error());
    }
    if (!KNARR_TRY(sys::stat_at(*all, name))) {
        return fail(no_such(name));
    }
    return load(*all, data_root, name);
}

Result<std::map<std::string, std::vector<std::string>>> users_of_volumes(
    const std::string& data_root) {
    KNARR_TRY(store::Store::open(data_root));
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    std::map<std::string, std::vector<std::string>> users;
    for (const ContainerUse& use : KNARR_TRY(images_in_use(data_root, Doing::nothing))) {
        std::vector<std::string> volumes = use.volumes;
        if (!use.damage.empty()) {  // it may use any
            for (const VolumeInfo& volume : KNARR_TRY(list_volumes(data_root))) {
                volumes.push_back(volume.name);
            }
        }
        for (const std::string& volume : volumes) {
            users[volume].push_back(use.container);
        }
    }
    return users;
}

Result<> remove_volume(const std::string& data_root, const std::string& name) {
    if (!check_volume_name(name)) {
        return fail(no_such(name));
    }
    const sys::Fd all = KNARR_TRY(open_volumes(data_root));
    const std::string gone = std::string(kGone) + new_volume_name();
    {
        // Who wants it from here on has said so before it looks for it, and makes a new one.
        const sys::FileLock lock = KNARR_TRY(lock_volumes(all));
        if (!KNARR_TRY(sys::stat_at(all, name))) {
            return fail(no_such(name));
        }
        const auto users = KNARR_TRY(users_of_volumes(data_root));
        if (const auto used = users.find(name); used != users.end()) {
            return fail(Error{
                .code = Errc::wrong_state,
                .message = fmt::format(
                    "volume {} is in use by container {}", name, fmt::join(used->second, ", ")),
                .hint =
                    fmt::format("remove that first: knarr rm {}", fmt::join(used->second, " "))});
        }
        KNARR_TRY(sys::rename_at(all, name, all, gone), "remove volume {}", name);
    }
    KNARR_TRY(fault_point("volume.gone"));
    KNARR_TRY(remove_owned_tree(all, gone), "remove volume {}", name);
    // What others left is not this one's failure: prune says what it cannot remove.
    static_cast<void>(sweep_volumes(data_root));
    return {};
}

Result<std::uint64_t> volume_bytes(const std::string& data_root, const std::string& name) {
    KNARR_TRY(check_volume_name(name));
    const sys::Fd content = KNARR_TRY(sys::open_path(mountpoint_of(data_root, name), kDirectory));
    return owned_tree_bytes(content);
}

Result<> sweep_volumes(const std::string& data_root) {
    KNARR_TRY(store::check_way(data_root));
    const auto all = sys::open_path(volumes_dir(data_root), kDirectory);
    if (!all) {
        return all.error().sys_errno == ENOENT ? Result<>{} : fail(all.error());
    }
    for (const std::string& name : KNARR_TRY(sys::list_dir(*all))) {
        if (name.starts_with(kGone)) {
            KNARR_TRY(remove_owned_tree(*all, name), "remove what is left of a volume");
        }
    }
    const sys::FileLock lock = KNARR_TRY(lock_volumes(*all));
    return sys::remove_tree_at(*all, kNew);
}

void remove_anonymous_volumes(const std::string& data_root,
                              const std::vector<std::string>& names,
                              const std::function<void(std::string_view)>& warn) {
    for (const std::string& name : names) {
        const Result<> removed = remove_volume(data_root, name);
        if (!removed && removed.error().code != Errc::not_found &&
            removed.error().code != Errc::wrong_state) {  // which somebody else has taken
            warn(removed.error().message);
        }
    }
}

Result<> fill_volume(const std::string& data_root,
                     const std::string& name,
                     const sys::Fd& root,
                     const std::string& target) {
    const sys::Fd all = KNARR_TRY(open_volumes(data_root));
    const sys::Fd volume = KNARR_TRY(sys::open_at(all, name, kDirectory), "volume {}", name);
    const sys::FileLock lock =
        KNARR_TRY(sys::FileLock::acquire(volume, "lock", sys::FileLock::Kind::exclusive));
    const sys::Fd data = KNARR_TRY(sys::open_at(volume, kData, kDirectory), "volume {}", name);
    KNARR_TRY(sys::remove_tree_at(volume, kCopying));  // of a killed one
    if (!KNARR_TRY(sys::stat_at(volume, kCopied))) {
        if (!KNARR_TRY(sys::list_dir(data)).empty()) {
            return {};
        }
        const auto from = sys::open_in_root(root, target, O_RDONLY | O_DIRECTORY);
        if (!from && (from.error().sys_errno == ENOENT || from.error().sys_errno == ENOTDIR)) {
            return {};
        }
        if (!from) {
            return fail(Error(from.error()).within("what the image has for volume " + name));
        }
        if (Result<> copied = copy_aside(volume, *from); !copied) {
            static_cast<void>(sys::remove_tree_at(volume, kCopying));
            return fail(
                std::move(copied).error().within("copy what the image has to volume " + name));
        }
    }
    KNARR_TRY(fault_point("volume.copied"));
    KNARR_TRY(move_in(volume, data), "copy what the image has to volume {}", name);
    return {};
}

}  // namespace knarr::engine
