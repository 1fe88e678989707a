#include "engine/run_image.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include <fcntl.h>

#include "bundle/host_name.h"
#include "bundle/image_view.h"
#include "bundle/make.h"
#include "bundle/passwd.h"
#include "bundle/read.h"
#include "bundle/settings.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/text.h"
#include "core/uuid.h"
#include "engine/background.h"
#include "engine/container_data.h"
#include "engine/container_volumes.h"
#include "engine/destroy.h"
#include "engine/ending.h"
#include "engine/event_log.h"
#include "engine/host_devices.h"
#include "engine/image_mounts.h"
#include "engine/journal.h"
#include "engine/live.h"
#include "engine/names.h"
#include "engine/new_container.h"
#include "engine/owner.h"
#include "engine/volumes_from.h"
#include "image/image_list.h"
#include "layer/base.h"
#include "layer/stored.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "platform/signal.h"
#include "platform/spawn.h"
#include "platform/task.h"
#include "platform/user_namespace.h"
#include "runtime/runtime.h"
#include "spec/wasm.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

/// What a container holds while it is being made, so that nobody removes its image or takes its
/// name meanwhile. Let go once its record and its data directory say both.
struct Claims {
    std::optional<store::Lease> image;
    std::optional<sys::FileLock> names;
};

Result<image::Image> get_stored_image(const store::Store& store,
                                      const store::Lease& lease,
                                      const RunRequest& wish,
                                      const Limits& limits,
                                      const PullProgressFn& progress) {
    switch (wish.pull) {
        case PullPolicy::always:
            return image::pull_image(store, lease, wish.image, wish.pull_options, limits, progress);
        case PullPolicy::never: {
            auto found = image::find_whole(store, lease, wish.image, wish.pull_options.platform);
            if (!found && found.error().code == Errc::image_not_found) {
                return fail(std::move(found).error().advise(
                    "it is not stored, and --pull never was given: knarr pull fetches it"));
            }
            return found;
        }
        case PullPolicy::missing:
            break;
    }
    return image::find_or_pull(store, lease, wish.image, wish.pull_options, limits, progress);
}

/// An ordinary user's child has it pulled, which can make its files; what is then there we find.
Result<image::Image> get_image(const store::Store& store,
                               const store::Lease& lease,
                               const std::string& data_root,
                               const RunRequest& wish,
                               const Limits& limits,
                               const PullProgressFn& progress) {
    if (!is_ordinary_user() || wish.pull == PullPolicy::never) {
        return get_stored_image(store, lease, wish, limits, progress);
    }
    const auto find = [&](std::string_view name) {
        return image::find_whole(store, lease, name, wish.pull_options.platform);
    };
    if (wish.pull == PullPolicy::missing) {
        Result<image::Image> found = find(wish.image);
        if (found || found.error().code == Errc::invalid_argument) {
            return found;
        }
    }
    const Result<std::string> pulled = as_owner([&]() -> Result<std::string> {
        // Opened anew: mounts can be made of what is reached in this mount namespace.
        const auto seen_there = KNARR_TRY(store::Store::open(data_root));
        const auto image = KNARR_TRY(get_stored_image(seen_there, lease, wish, limits, progress));
        return image.reference.empty() ? image.id.text() : image.reference;
    });
    return pulled ? find(*pulled) : Result<image::Image>(fail(pulled.error()));
}

struct UserTexts {
    std::string passwd, group;
};

Result<UserTexts> read_user_texts(const std::vector<std::string>& lowers) {
    bundle::ImageView view(lowers);
    const auto passwd = KNARR_TRY(view.read_file("/etc/passwd", bundle::kMaxPasswdBytes));
    const auto group = KNARR_TRY(view.read_file("/etc/group", bundle::kMaxPasswdBytes));
    return UserTexts{.passwd = passwd.value_or(""), .group = group.value_or("")};
}

/// What only the kernel can tell, or what belongs to another user, an ordinary one cannot see from
/// here.
Result<UserTexts> find_user_texts(const std::vector<std::string>& lowers) {
    Result<UserTexts> texts = read_user_texts(lowers);
    const int error = texts ? 0 : texts.error().sys_errno;
    if (!is_ordinary_user() || (error != EPERM && error != EACCES)) {
        return texts;
    }
    const Result<std::string> told = as_owner([&]() -> Result<std::string> {
        const UserTexts read = KNARR_TRY(read_user_texts(lowers));
        return fmt::format("{}\n{}{}", read.passwd.size(), read.passwd, read.group);
    });
    const std::string both = KNARR_TRY(Result<std::string>(told));
    const std::size_t line = both.find('\n');
    const auto size = parse_number(std::string_view(both).substr(0, line));
    if (line == std::string::npos || !size || *size > both.size() - line - 1) {
        return fail(Errc::internal, "what was read of the image is cut");
    }
    return UserTexts{.passwd = both.substr(line + 1, *size),
                     .group = both.substr(line + 1 + *size)};
}

Result<bundle::ResolvedUser> find_user(const std::vector<std::string>& lowers,
                                       const RunRequest& request,
                                       const spec::ImageConfig& image) {
    const UserTexts texts = KNARR_TRY(find_user_texts(lowers));
    const std::string& asked = request.user.empty() ? image.config.user : request.user;
    Result<bundle::ResolvedUser> user = bundle::resolve_user(asked, texts.passwd, texts.group);
    if (!user && request.user.empty()) {
        Error error = std::move(user).error();
        error.code = Errc::invalid_image;
        return fail(std::move(error).within("the image's User").advise("choose one with --user"));
    }
    for (const std::string& name : user ? request.settings.groups : std::vector<std::string>()) {
        const auto found =
            KNARR_TRY(bundle::resolve_user("0:" + name, "", texts.group), "further group");
        user->groups.push_back(found.gid);
    }
    return user;
}

/// Where this build's knarr-init is.
Result<std::string> find_init() {
    const sys::Fd program = KNARR_TRY(sys::open_own_program("knarr-init"), "--init");
    return sys::read_link_at(sys::Fd(), sys::fd_path(program));
}

/// Whether this host can limit memory and swap together. v1 has the file at the root of the
/// hierarchy; v2 has it in every cgroup but the root.
Result<bool> has_swap_accounting() {
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    const sys::CgroupHierarchy* memory = host.hierarchy_of("memory");
    if (memory == nullptr) {
        return false;
    }
    const std::string file = memory->v2 ? memory->own_path + "/memory.swap.max"
                                        : std::string("/memory.memsw.limit_in_bytes");
    return (memory->v2 && memory->own_path == "/") ||
           sys::open_path(memory->mount_point + file, O_PATH).has_value();
}

/// The host's own name.
Result<std::string> host_name() {
    const std::string text = KNARR_TRY(sys::read_file("/proc/sys/kernel/hostname", size::kKiB));
    return std::string(trimmed(text));
}

/// The last twelve digits: the first ones are the time, which neighbours share.
std::string short_id(const std::string& id) {
    return id.substr(id.size() - 12);
}

/// An image of ordinary layers with a WebAssembly module among its files.
Result<> refuse_wasm(const image::Image& image) {
    const spec::Platform& platform = image.config.platform;
    if (!spec::is_wasm(platform)) {
        return {};
    }
    return fail(
        Error{.code = Errc::unsupported,
              .message = fmt::format("image {} is for {}/{}: its program is a WebAssembly module",
                                     printable(image.reference),
                                     printable(platform.os, 64),
                                     platform.architecture),
              .hint = "this build stores and mounts such images; it runs none"});
}

/// All that is decided about a container before anything of it is made.
struct Prepared {
    std::string id;
    std::string reference;
    image::Image image;
    bundle::Made made;
    NameTexts texts;
    layer::MountedLayers layers;  // for as long as we attend the container
    std::vector<WantedVolume> volumes;
};

Result<Prepared> prepare(const store::Store& store,
                         const store::Lease& lease,
                         const std::string& data_root,
                         RunRequest wish,
                         const Limits& limits,
                         const PullProgressFn& progress) {
    KNARR_TRY(resolve_sources(wish.volumes));
    image::Image image = KNARR_TRY(get_image(store, lease, data_root, wish, limits, progress));
    KNARR_TRY(image::check_files(image));
    KNARR_TRY(refuse_wasm(image));
    const std::string id = make_long_id(system_clock(), system_random());
    const std::string directory = container_dir(data_root, id);
    auto layers = KNARR_TRY(layer::MountedLayers::mount(store, image.chain));
    bundle::OverlayRoot root = planned_root(layers.lowers(), directory);
    root.discard = wish.remove;
    auto user = KNARR_TRY(find_user(layers.lowers(), wish, image.config));
    auto volumes = KNARR_TRY(plan_volumes(data_root, wish, image.config.config));
    std::string hostname = wish.hostname;
    if (hostname.empty()) {
        hostname = wish.network == NetworkMode::host ? KNARR_TRY(host_name()) : short_id(id);
    }
    NameTexts texts = KNARR_TRY(name_texts(wish.network, hostname, wish.settings.names));
    const bool limits_memory = wish.memory_bytes || limits.default_memory_bytes > 0;
    const bool swap = limits_memory && KNARR_TRY(has_swap_accounting());
    auto devices = KNARR_TRY(host_devices(wish.settings));
    auto disks = KNARR_TRY(device_limits(wish.settings.resources));
    std::string init = wish.settings.init ? KNARR_TRY(find_init()) : std::string();
    bundle::Made made = KNARR_TRY(bundle::make_bundle({.image = image.config,
                                                       .request = wish,
                                                       .rootfs = std::move(root),
                                                       .user = std::move(user),
                                                       .hostname = hostname,
                                                       .directory = directory,
                                                       .files = name_files(directory),
                                                       .limits = limits,
                                                       .swap_accounting = swap,
                                                       .devices = std::move(devices),
                                                       .device_limits = std::move(disks),
                                                       .init_program = std::move(init)}));
    made.bundle.config.linux_->cgroups_path =
        bundle::cgroup_below(wish.settings.resources.cgroup_parent, id);
    add_owner_namespace(made.bundle.config);
    return Prepared{.id = id,
                    .reference = image.reference.empty() ? image.id.text() : image.reference,
                    .image = std::move(image),
                    .made = std::move(made),
                    .texts = std::move(texts),
                    .layers = std::move(layers),
                    .volumes = std::move(volumes)};
}

/// What `logs --details` will show, of what was asked for by name. What is not there is left out.
void note_details(const std::vector<std::string>& env, Life& life) {
    for (const std::string& name : life.log.labels) {
        if (const auto label = life.labels.find(name); label != life.labels.end()) {
            life.log_details.insert(*label);
        }
    }
    for (const std::string& name : life.log.variables) {
        const auto set = std::ranges::find_if(
            env, [&](const std::string& one) { return one.starts_with(name + "="); });
        if (set != env.end()) {
            life.log_details[name] = set->substr(name.size() + 1);
        }
    }
}

/// The image's and those of --expose, each once, with its protocol.
std::vector<std::string> exposed_ports(const RunRequest& request,
                                       const std::vector<std::string>& of_image) {
    std::set<std::string> all(request.settings.exposed.begin(), request.settings.exposed.end());
    for (const std::string& port : of_image) {
        all.insert(port.find('/') == std::string::npos ? port + "/tcp" : port);
    }
    return {all.begin(), all.end()};
}

/// What the container's record keeps of the request, for `stop` and the monitor.
Result<Life> life_of(const RunRequest& request, const Prepared& prepared) {
    Life life;
    life.command = prepared.made.bundle.config.process->args;
    life.stop_seconds = request.stop_seconds;
    life.log = request.log;
    life.restart.policy = request.restart;
    life.terminal = request.terminal;
    life.keeps_stdin = request.settings.keeps_stdin;
    for (const WantedVolume& volume : prepared.volumes) {
        if (volume.anonymous) {
            life.volumes.push_back(volume.name);
        }
    }
    const auto& healthcheck = prepared.image.config.config.healthcheck;
    life.health =
        KNARR_TRY(choose_health_check(request.health, healthcheck ? &*healthcheck : nullptr));
    life.labels = request.settings.labels;
    life.labels.insert(prepared.image.config.config.labels.begin(),
                       prepared.image.config.config.labels.end());
    life.names = request.settings.names;
    life.exposed = exposed_ports(request, prepared.image.config.config.exposed_ports);
    note_details(prepared.made.bundle.config.process->env, life);
    const std::string& image = prepared.image.config.config.stop_signal;
    if (!request.stop_signal.empty()) {
        life.stop_signal = KNARR_TRY(sys::parse_signal(request.stop_signal), "stop signal");
    } else if (!image.empty()) {
        Result<int> signal = sys::parse_signal(image);
        if (!signal) {
            Error error = std::move(signal).error();
            error.code = Errc::invalid_image;
            return fail(std::move(error)
                            .within("the image's StopSignal")
                            .advise("choose one with --stop-signal"));
        }
        life.stop_signal = *signal;
    }
    if (life.stop_signal == 0) {
        return fail(Errc::invalid_argument, "stop signal 0 would stop nothing");
    }
    return life;
}

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

/// None given, also as an empty text, is docker's way of saying "the usual one".
Result<> check_names(const RunRequest& request) {
    if (!request.hostname.empty()) {
        KNARR_TRY(
            bundle::check_host_name(request.hostname, bundle::kMaxOwnNameBytes, "the host name"));
    }
    if (!request.settings.names.domain.empty()) {
        KNARR_TRY(bundle::check_host_name(
            request.settings.names.domain, bundle::kMaxOwnNameBytes, "the domain name"));
    }
    return {};
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
                io.stdio[i] = KNARR_TRY(sys::open_path("/dev/null", O_RDWR));
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

/// Whether a cgroup that can limit pids is ours to make.
bool may_limit_pids() {
    if (sys::is_host_root()) {
        return true;
    }
    const auto host = sys::probe_host();
    const sys::CgroupHierarchy* pids = host ? host->hierarchy_of("pids") : nullptr;
    return pids != nullptr && (pids->own_delegated || pids->parent_delegated);
}

/// What is decided, and refused, before anything is looked for.
Result<> settle(CgroupManager manager, RunRequest& request) {
    if (!request.pids_limit && (manager == CgroupManager::disabled || !may_limit_pids())) {
        request.pids_limit = -1;  // our own default, which nothing could hold
    }
    KNARR_TRY(check_names(request));
    KNARR_TRY(runtime::select(request.isolation));
    return {};
}

}  // namespace

Result<bundle::Made> bundle_of_image(const EngineOptions& options,
                                     RunRequest request,
                                     const Limits& limits) {
    KNARR_TRY(settle(options.cgroup_manager, request));
    const std::string data_root = KNARR_TRY(sys::absolute(options.data_root));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const store::Lease lease = KNARR_TRY(store.lease());
    if (!request.volumes_from.empty()) {
        const StateRoot states = KNARR_TRY(StateRoot::open(options.root));
        KNARR_TRY(add_volumes_from(context_of(states, options), data_root, request));
    }
    Prepared prepared = KNARR_TRY(prepare(store, lease, data_root, request, limits, {}));
    KNARR_TRY(life_of(request, prepared));  // it refuses, too
    return std::move(prepared.made);
}

namespace {

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
    Claims claims;
    claims.image.emplace(KNARR_TRY(store.lease()));
    KNARR_TRY(add_volumes_from(context, data_root, request));
    if (request.log.journal) {
        KNARR_TRY(Journal::open(), "--log-driver journald");
    }
    const Prepared prepared =
        KNARR_TRY(prepare(store, *claims.image, data_root, request, limits, progress));
    Life life = KNARR_TRY(life_of(request, prepared));
    if (!request.name.empty()) {
        claims.names.emplace(KNARR_TRY(lock_names(data_root)));
        KNARR_TRY(check_name(context, request.name));
    }
    for (const std::string& warning : prepared.made.warnings) {
        context.warn(warning);
    }
    const ContainerUse use = KNARR_TRY(use_of(context, prepared));
    const bundle::Bundle& bundle = prepared.made.bundle;
    const auto make_data_dir = [&]() -> Result<> {
        {
            // Who looks for containers that need layers sees this one, or its lease.
            const sys::FileLock lock =
                KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::shared));
            KNARR_TRY(make_owned_data(use, bundle, prepared.texts));
            KNARR_TRY(fault_point("run_image.data"));
            claims.image.reset();
            claims.names.reset();
        }
        // From here on nobody removes the volumes that it names.
        return make_owned_volumes(data_root, prepared);
    };
    NewContainer wanted{.id = KNARR_TRY(ContainerId::parse(prepared.id)),
                        .name = request.name,
                        .bundle = bundle,
                        .image = prepared.reference,
                        .data_dir = bundle.directory,
                        .make_data_dir = make_data_dir,
                        .config_file = {},
                        .pid_file = {},
                        .console_socket = {},
                        .pidfd_socket = {},
                        .service = request.service,
                        .auto_remove = request.remove,
                        .life = std::move(life),
                        .place = {},
                        .created = {},
                        .give_streams = chosen_streams(request)};
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
        wanted.life->laid_down = true;
        return lay_down_container(context, std::move(wanted));
    };
    KNARR_TRY(launch_image(context, data_dir, request, limits, progress, launch));
    return id;
}

Result<> run_again(const Context& context,
                   const std::string& data_dir,
                   Held held,
                   AttachedEnds attached) {
    Record& record = held.record;
    const std::string data_root = KNARR_TRY(sys::absolute(data_dir));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const ContainerUse use = KNARR_TRY(read_use(data_root, record.id));
    bundle::Bundle bundle = KNARR_TRY(bundle::read_bundle(record.data_dir));
    const auto layers = KNARR_TRY(layer::MountedLayers::mount(store, use.chain));
    KNARR_TRY(layer::make_base(data_root));
    bundle::OverlayRoot root = planned_root(layers.lowers(), record.data_dir);
    root.discard = record.auto_remove;
    bundle.rootfs = std::move(root);
    bundle.isolation = record.isolation;
    Life life = *record.life;
    life.monitored = true;
    if (is_end_untold(record, held.live)) {
        note_end(record, std::nullopt, format_time(system_clock().wall()));
        note_end_event(context, record);
    }
    if (record.status != ContainerState::stopped || record.cgroup) {
        // Its last launch or monitor was killed, or could not remove all: that must go first.
        KNARR_TRY(end_run(context, held.dir, record), "container {}", record.id);
    }
    return run_in_background(context,
                             NewContainer{.id = KNARR_TRY(ContainerId::parse(record.id)),
                                          .name = record.name,
                                          .bundle = std::move(bundle),
                                          .image = record.image,
                                          .data_dir = record.data_dir,
                                          .make_data_dir = {},
                                          .config_file = {},
                                          .pid_file = {},
                                          .console_socket = {},
                                          .pidfd_socket = {},
                                          .service = {},
                                          .auto_remove = record.auto_remove,
                                          .life = std::move(life),
                                          .place = std::move(held.dir),
                                          .created = record.created,
                                          .last_exit_code = record.exit_code,
                                          .give_streams = {},
                                          .attached = std::move(attached)});
}

Result<> run_as_before(const Context& context, Held held) {
    Context before{.root = context.root, .warn = context.warn};
    before.rootless = held.record.life->rootless;
    before.cgroup_manager = held.record.life->cgroup_manager;
    const std::string data_root = data_root_of(held.record.data_dir);
    return run_again(before, data_root, std::move(held));
}

}  // namespace knarr::engine
