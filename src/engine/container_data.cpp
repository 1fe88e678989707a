#include "engine/container_data.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "engine/owner.h"
#include "engine/record.h"
#include "layer/base.h"
#include "layer/snapshot.h"
#include "layer/stored.h"
#include "platform/absent.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/host_mount.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr const char* kUseFile = "image";
constexpr const char* kNewUseFile = "image.new";
constexpr const char* kUseCopy = "image.copy";
constexpr const char* kDamagedUse = "image.damaged";
constexpr std::size_t kMaxHostFileBytes = 64 * size::kKiB;

/// Writes a file that a lost machine may lose: containers do not outlive a reboot.
Result<> write_new(const sys::Fd& dir, const std::string& name, std::string_view text) {
    const sys::Fd file =
        KNARR_TRY(sys::open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    KNARR_TRY(sys::write_all(file, text), "write {}", name);
    return {};
}

std::string encode_use(const ContainerUse& use) {
    spec::JsonWriter json;
    json.begin_object().member("state_root", use.state_root).member("reference", use.reference);
    json.member("state_root_device", use.state_root_device);
    json.member("state_root_inode", use.state_root_inode).member("boot", use.boot);
    json.member("image_id", use.image_id).key("chain").begin_array();
    for (const spec::Digest& layer : use.chain) {
        json.value(layer.text());
    }
    json.end_array().member("volumes", use.volumes).end_object();
    return std::move(json).text();
}

Result<ContainerUse> decode_use(std::string_view text, std::string container) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(text, {.name = kUseFile}));
    ContainerUse use;
    use.container = std::move(container);
    std::vector<std::string> chain;
    KNARR_TRY(document.root().required("state_root", use.state_root));
    KNARR_TRY(document.root().optional("state_root_device", use.state_root_device));
    KNARR_TRY(document.root().optional("state_root_inode", use.state_root_inode));
    KNARR_TRY(document.root().optional("boot", use.boot));
    KNARR_TRY(document.root().required("reference", use.reference));
    KNARR_TRY(document.root().required("image_id", use.image_id));
    KNARR_TRY(document.root().required("chain", chain));
    KNARR_TRY(document.root().optional("volumes", use.volumes));
    for (const std::string& layer : chain) {
        use.chain.push_back(KNARR_TRY(spec::Digest::parse(layer)));
    }
    return use;
}

Result<ContainerUse> read_use_file(const std::string& directory,
                                   const char* name,
                                   const std::string& id) {
    const std::string text =
        KNARR_TRY(sys::read_file(directory + "/" + name, limits::kMaxStateBytes));
    return KNARR_TRY(decode_use(text, id), "container {}", id);
}

/// What either of the two files says. Missing: neither is there.
Result<ContainerUse> use_in(const std::string& directory, const std::string& id) {
    Result<ContainerUse> use = read_use_file(directory, kUseFile, id);
    if (use) {
        return use;
    }
    Result<ContainerUse> copy = read_use_file(directory, kUseCopy, id);
    return copy || sys::is_absent(use.error()) ? copy : use;
}

/// A file of the host for `--network host`; empty when there is none.
Result<std::string> host_file(const std::string& path) {
    Result<std::string> text = sys::read_file(path, kMaxHostFileBytes);
    if (!text && text.error().sys_errno == ENOENT) {
        return std::string();
    }
    return text;
}

}  // namespace

Result<sys::FileLock> lock_containers(const std::string& data_root, sys::FileLock::Kind kind) {
    const sys::Fd dir = KNARR_TRY(sys::make_dirs(data_root + "/containers", 0700));
    return sys::FileLock::acquire(dir, ".lock", kind);
}

std::string container_dir(const std::string& data_root, const std::string& id) {
    return data_root + "/containers/" + id;
}

std::string data_root_of(const std::string& container_directory) {
    const std::size_t end = container_directory.rfind("/containers/");
    return end == std::string::npos ? std::string() : container_directory.substr(0, end);
}

bundle::OverlayRoot planned_root(const std::vector<std::string>& lowers,
                                 const std::string& directory) {
    bundle::OverlayRoot root;
    root.lowers = lowers;
    root.lowers.push_back(layer::base_path(data_root_of(directory), layer::Base::of_containers));
    root.upper = directory + "/upper";
    root.work = directory + "/work";
    root.merged = directory + "/merged";
    return root;
}

namespace {

/// docker's: what is given takes the place of the host's lines of its kind.
std::string resolv_conf_text(std::string_view base, const NameSettings& names) {
    if (names.servers.empty() && names.search.empty() && names.options.empty()) {
        return std::string(base);
    }
    std::string out;
    for (const std::string_view line : split(base, '\n')) {
        const bool replaced = (line.starts_with("nameserver") && !names.servers.empty()) ||
                              (line.starts_with("search") && !names.search.empty()) ||
                              (line.starts_with("options") && !names.options.empty());
        if (!replaced && !line.empty() && !line.starts_with('#')) {
            out += fmt::format("{}\n", line);
        }
    }
    for (const std::string& server : names.servers) {
        out += fmt::format("nameserver {}\n", server);
    }
    const bool no_search = names.search.size() == 1 && names.search.front() == ".";
    if (!names.search.empty() && !no_search) {
        out += fmt::format("search {}\n", fmt::join(names.search, " "));
    }
    if (!names.options.empty()) {
        out += fmt::format("options {}\n", fmt::join(names.options, " "));
    }
    return out;
}

std::string hosts_text(std::string base, const NameSettings& names) {
    for (const std::string& host : names.hosts) {
        const std::size_t colon = host.find(':');
        base += fmt::format("{}\t{}\n", host.substr(colon + 1), host.substr(0, colon));
    }
    return base;
}

}  // namespace

Result<NameTexts> name_texts(NetworkMode network,
                             const std::string& hostname,
                             const NameSettings& names) {
    NameTexts texts;
    texts.hostname = hostname + "\n";
    if (network == NetworkMode::host) {
        texts.hosts = hosts_text(KNARR_TRY(host_file("/etc/hosts")), names);
        texts.resolv_conf = resolv_conf_text(KNARR_TRY(host_file("/etc/resolv.conf")), names);
        return texts;
    }
    texts.hosts = fmt::format(
        "127.0.0.1\tlocalhost {}\n::1\tlocalhost ip6-localhost ip6-loopback\n", hostname);
    texts.hosts = hosts_text(std::move(texts.hosts), names);
    texts.resolv_conf = resolv_conf_text("# no network: no name servers\n", names);
    return texts;
}

bundle::NameFiles name_files(const std::string& directory) {
    return {.hosts = directory + "/hosts",
            .hostname = directory + "/hostname",
            .resolv_conf = directory + "/resolv.conf"};
}

Result<> make_container_data(const ContainerUse& use,
                             const bundle::Bundle& bundle,
                             const NameTexts& texts) {
    const std::string& path = bundle.directory;
    KNARR_TRY(layer::make_base(data_root_of(path)));
    const sys::Fd dir = KNARR_TRY(sys::make_dirs(path, 0700), "container directory");
    // Whole or not there: others read it of containers whose making was killed.
    const std::string used = encode_use(use);
    KNARR_TRY(write_new(dir, kNewUseFile, used), "{}", path);
    KNARR_TRY(sys::rename_at(dir, kNewUseFile, dir, kUseFile), "{}", path);
    KNARR_TRY(write_new(dir, kUseCopy, used), "{}", path);
    const auto& planned = std::get<bundle::OverlayRoot>(bundle.rootfs);
    const auto made = KNARR_TRY(
        layer::make_root(planned.lowers, path, layer::RootAccess::read_write), "{}", path);
    if (made.upper != planned.upper || made.work != planned.work || made.merged != planned.merged) {
        return fail(Errc::internal, "{}: the root is not where it was planned", path);
    }
    KNARR_TRY(write_new(dir, "hosts", texts.hosts), "{}", path);
    KNARR_TRY(write_new(dir, "hostname", texts.hostname), "{}", path);
    KNARR_TRY(write_new(dir, "resolv.conf", texts.resolv_conf), "{}", path);
    const std::string config = spec::encode_runtime_config(bundle.config);
    if (config.size() > limits::kMaxBundleConfigBytes) {
        return fail(Errc::limit_exceeded,
                    "what is asked for makes a configuration of {} bytes; at most {} are possible",
                    config.size(),
                    limits::kMaxBundleConfigBytes);
    }
    KNARR_TRY(write_new(dir, "config.json", config), "{}", path);
    return {};
}

Result<ContainerUse> read_use(const std::string& data_root, const std::string& id) {
    return use_in(container_dir(data_root, id), id);
}

Result<> unmount_layers_of(const std::string& container_directory) {
    const auto use = use_in(container_directory, {});
    const std::string data_root = data_root_of(container_directory);
    if (data_root.empty()) {
        return {};
    }
    if (!use) {
        return unmount_leftovers(data_root);  // killed before it said which layers it has
    }
    if (!KNARR_TRY(layer::are_mounted(data_root, use->chain))) {
        return {};
    }
    const auto store = KNARR_TRY(store::Store::open(data_root));
    return layer::unmount_unused(store, use->chain);
}

Result<> unmount_leftovers(const std::string& data_root) {
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const auto layers = KNARR_TRY(store.list_layers());
    return layer::unmount_unused(store, layers);
}

namespace {

Result<> remove_data(const std::string& data_root, const std::vector<std::string>& ids) {
    if (ids.empty()) {
        return {};
    }
    const sys::Fd containers =
        KNARR_TRY(sys::open_path(data_root + "/containers", O_RDONLY | O_DIRECTORY));
    for (const std::string& id : ids) {
        KNARR_TRY(remove_owned_tree(containers, id), "container {}", id);
    }
    return {};
}

/// Whether a container is recorded still. The container may live, and its state directory be out of
/// sight: another mount namespace has none there, or another one. Then only a start of the machine,
/// which empties /run, tells that it is gone.
Result<bool> is_recorded(const ContainerUse& use) {
    if (use.state_root.empty()) {
        return false;
    }
    const auto states = sys::open_path(use.state_root, O_PATH | O_DIRECTORY);
    if (!states && states.error().sys_errno != ENOENT) {
        return fail(states.error());
    }
    if (states) {
        const auto info = KNARR_TRY(sys::stat_of(*states));
        if (info.st_dev == use.state_root_device && info.st_ino == use.state_root_inode) {
            return KNARR_TRY(sys::stat_at(*states, use.container)).has_value();
        }
    }
    return boot_id().empty() || use.boot == boot_id();
}

/// Which directories belong to containers, and which to nobody.
Result<> sort_data(const std::string& data_root,
                   std::vector<ContainerUse>& used,
                   std::vector<std::string>& nobodys) {
    const auto containers = sys::open_path(data_root + "/containers", O_RDONLY | O_DIRECTORY);
    if (!containers) {
        return containers.error().sys_errno == ENOENT ? Result<>{} : fail(containers.error());
    }
    for (const std::string& id : KNARR_TRY(sys::list_dir(*containers))) {
        if (id.starts_with('.')) {
            continue;  // locks
        }
        const auto copy = kept_record(container_dir(data_root, id));
        const bool comes_back = copy && *copy;
        Result<ContainerUse> use = use_in(container_dir(data_root, id), id);
        if (!use && (comes_back || !sys::is_absent(use.error()))) {
            // One that is damaged is in nobody's way, and keeps all that it may need.
            used.push_back({.container = id, .damage = use.error().message});
            continue;
        }
        // Without the file it is what a killed run left: a living one holds the lock until then.
        const Result<bool> recorded = use ? is_recorded(*use) : Result<bool>(false);
        if (use && (comes_back || !recorded || *recorded)) {
            used.push_back(std::move(*use));
        } else {
            nobodys.push_back(id);
        }
    }
    return {};
}

}  // namespace

Result<std::vector<std::string>> remove_data_of_nobody(const std::string& data_root, Doing doing) {
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    std::vector<ContainerUse> used;
    std::vector<std::string> nobodys;
    KNARR_TRY(sort_data(data_root, used, nobodys));
    if (doing == Doing::it) {
        KNARR_TRY(remove_data(data_root, nobodys));
    }
    return nobodys;
}

namespace {

/// Nothing to mend, or what was in the way, and whether it is mended.
Result<std::optional<MendedUse>> mend_use(const std::string& data_root, const std::string& id) {
    const std::string path = container_dir(data_root, id);
    const auto use = read_use_file(path, kUseFile, id);
    const auto copy = read_use_file(path, kUseCopy, id);
    if (use && copy) {
        return std::nullopt;
    }
    const Error& error = use ? copy.error() : use.error();
    if (!use && !copy) {
        const auto record = kept_record(path);
        const bool is_leftover =
            sys::is_absent(error) && sys::is_absent(copy.error()) && !(record && *record);
        return is_leftover ? std::optional<MendedUse>()
                           : MendedUse{.container = id, .damage = error.message, .mended = false};
    }
    const sys::Fd dir = KNARR_TRY(sys::open_path(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const char* name = use ? kUseCopy : kUseFile;
    if (!sys::is_absent(error)) {
        KNARR_TRY(sys::rename_at(dir, name, dir, kDamagedUse));
    }
    KNARR_TRY(sys::replace_file(dir, name, encode_use(use ? *use : *copy), 0644, sys::Sync::file));
    return MendedUse{.container = id, .damage = error.message, .mended = true};
}

}  // namespace

Result<std::vector<MendedUse>> mend_uses(const std::string& data_root) {
    // Who makes a container has it shared until both files are there.
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    const sys::Fd containers =
        KNARR_TRY(sys::open_path(data_root + "/containers", O_RDONLY | O_DIRECTORY));
    std::vector<MendedUse> found;
    for (const std::string& id : KNARR_TRY(sys::list_dir(containers))) {
        if (id.starts_with('.')) {
            continue;
        }
        auto mended = mend_use(data_root, id);
        if (!mended) {
            found.push_back({.container = id, .damage = mended.error().message, .mended = false});
        } else if (*mended) {
            found.push_back(std::move(**mended));
        }
    }
    return found;
}

Result<std::vector<ContainerUse>> images_in_use(const std::string& data_root, Doing doing) {
    std::vector<ContainerUse> used;
    std::vector<std::string> nobodys;
    KNARR_TRY(sort_data(data_root, used, nobodys));
    if (doing == Doing::it) {
        KNARR_TRY(remove_data(data_root, nobodys));
    }
    return used;
}

}  // namespace knarr::engine
