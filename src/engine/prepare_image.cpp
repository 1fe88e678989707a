#include "engine/prepare_image.h"

#include <fcntl.h>

#include "bundle/defaults.h"
#include "bundle/host_name.h"
#include "bundle/settings.h"
#include "core/clock.h"
#include "core/random.h"
#include "core/text.h"
#include "core/uuid.h"
#include "engine/host_devices.h"
#include "engine/image_user.h"
#include "engine/owner.h"
#include "engine/owner_values.h"
#include "image/image_list.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "platform/spawn.h"
#include "platform/user_namespace.h"
#include "runtime/runtime.h"
#include "spec/wasm.h"

namespace knarr::engine {

namespace {

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
    const auto pull = [&](const PullOptions& options,
                          const PullProgressFn& tell) -> Result<std::string> {
        RunRequest own = wish;
        own.pull_options = options;
        // Opened anew: mounts can be made of what is reached in this mount namespace.
        const auto seen_there = KNARR_TRY(store::Store::open(data_root));
        const auto image = KNARR_TRY(get_stored_image(seen_there, lease, own, limits, tell));
        return image.reference.empty() ? image.id.text() : image.reference;
    };
    const Result<std::string> pulled =
        transfer_as_owner<std::string>(data_root, wish.pull_options, progress, pull);
    return pulled ? find(*pulled) : Result<image::Image>(fail(pulled.error()));
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

struct SeccompWish {
    std::optional<spec::SeccompProfile> profile;
    spec::KernelVersion kernel;
};
/// The caller's own profile, and the version of this host's kernel for it.
Result<SeccompWish> seccomp_wish(const SecuritySettings& security) {
    if (security.seccomp_profile.empty()) {
        return SeccompWish{};
    }
    auto profile = KNARR_TRY(spec::decode_seccomp_profile(
        security.seccomp_profile,
        fmt::format("--security-opt seccomp={}", printable(security.seccomp_profile_name))));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    return SeccompWish{.profile = std::move(profile),
                       .kernel = {.major = static_cast<std::uint32_t>(host.kernel_major),
                                  .minor = static_cast<std::uint32_t>(host.kernel_minor)}};
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

}  // namespace

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
        hostname = wish.network == NetworkMode::host ? sys::host_name() : short_id(id);
    }
    NameTexts texts = KNARR_TRY(name_texts(wish.network, hostname, wish.settings.names));
    const bool limits_memory = wish.memory_bytes || limits.default_memory_bytes > 0;
    const bool swap = limits_memory && KNARR_TRY(has_swap_accounting());
    auto devices = KNARR_TRY(host_devices(wish.settings));
    auto disks = KNARR_TRY(device_limits(wish.settings.resources));
    auto seccomp = KNARR_TRY(seccomp_wish(wish.settings.security));
    std::string init = wish.settings.init ? KNARR_TRY(find_init()) : std::string();
    bundle::Made made =
        KNARR_TRY(bundle::make_bundle({.image = image.config,
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
                                       .init_program = std::move(init),
                                       .seccomp_profile = std::move(seccomp.profile),
                                       .kernel = seccomp.kernel}));
    made.bundle.config.linux_->cgroups_path =
        bundle::cgroup_below(wish.settings.resources.cgroup_parent, id);
    add_owner_namespace(made.bundle.config);
    // The caller's own are there already, and stay.
    made.bundle.config.linux_->sysctl.merge(bundle::default_sysctls(
        made.bundle.config, sys::is_host_root() ? bundle::Gids::all : bundle::Gids::unknown));
    return Prepared{.id = id,
                    .reference = image.reference.empty() ? image.id.text() : image.reference,
                    .image = std::move(image),
                    .made = std::move(made),
                    .texts = std::move(texts),
                    .layers = std::move(layers),
                    .volumes = std::move(volumes)};
}

namespace {

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

/// Whether a cgroup that can limit pids is ours to make.
bool may_limit_pids() {
    if (sys::is_host_root()) {
        return true;
    }
    const auto host = sys::probe_host();
    const sys::CgroupHierarchy* pids = host ? host->hierarchy_of("pids") : nullptr;
    return pids != nullptr && (pids->own_delegated || pids->parent_delegated);
}

}  // namespace

Result<> settle(CgroupManager manager, RunRequest& request) {
    if (!request.pids_limit && (manager == CgroupManager::disabled || !may_limit_pids())) {
        request.pids_limit = -1;  // our own default, which nothing could hold
    }
    KNARR_TRY(check_names(request));
    KNARR_TRY(runtime::select(request.isolation));
    return {};
}

}  // namespace knarr::engine
